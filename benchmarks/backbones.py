"""Every backbone at Amazon-Baby's size: time of an epoch, memory, and the bounds that we promise.

    python benchmarks/backbones.py [--only NAME …] [--out FILE] [--pages docs/backbones]

Each backbone runs in a process of its own, one after the other: 19,445 users, 7,050 items, 118,551
training pairs (Amazon-Baby's where CLIPER_DATA has them), 768-wide random image and text features,
random field tokens and times where a model wants them, d 64, batch 2048. Bounds hold on a machine
where a product of Â at width 64 takes 1.5 ms; elsewhere they are scaled by that product, measured
beside every epoch. `--pages` writes each model's cost into its page.
"""

import argparse
import json
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from cliper.backbones import backbone_entry, create_backbone, list_backbones
from cliper.data import Interactions, ItemFields
from cliper.graphs import SparseGraph, normalized_adjacency
from cliper.ranking import rank
from cliper.representation import random_features
from cliper.training import Trainer, TrainingConfig
from training import BATCH, WIDTH, interactions

BOUNDS = {"vbpr": 0.8, "bm3": 2.5, "lattice": 4, "slmrec": 4, "dualgnn": 3, "mmgcn": 8}
OPTIONS: dict[str, dict[str, object]] = {"mmgcn": {"n_layers": 3}}
PRODUCT = 1.5e-3  # seconds, of the machine that the bounds are for


def random_fields(train: Interactions) -> ItemFields:
    """1,000 tokens of two fields, three an item."""
    generator = np.random.default_rng(0)
    n = train.n_items
    columns = np.stack([generator.integers(0, 200, n), *generator.integers(200, 1000, (2, n))])
    matrix = sp.csr_matrix(
        (np.ones(3 * n, np.float32), (np.tile(np.arange(n), 3), columns.ravel())), (n, 1000)
    )
    matrix.data[:] = 1
    names = [("categories", f"c{i}") for i in range(200)]
    return ItemFields(train.items.hash, matrix, (*names, *(("brand", f"b{i}") for i in range(800))))


def measure(name: str, repeats: int) -> dict[str, float]:
    """Seconds of an epoch and a ranking of 1,024 users, MiB, in this process."""
    train = interactions()
    if train.timestamp is None:
        train = replace(train, timestamp=np.random.default_rng(1).permutation(len(train)))
    graph = SparseGraph(normalized_adjacency(train.matrix()), symmetric=True).tensor
    x = torch.randn(train.n_users + train.n_items, WIDTH)
    y = torch.empty_like(x)

    def product() -> float:
        start = time.perf_counter()
        for _ in range(20):
            torch.addmm(x, graph, x, beta=0, out=y)
        return (time.perf_counter() - start) / 20

    def plain() -> float:
        start = time.perf_counter()
        for _ in range(20):
            _ = graph @ x
        return (time.perf_counter() - start) / 20

    product()
    content = random_features(train.items.hash, train.n_items, width=768)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    entry = backbone_entry(name)
    options = dict(OPTIONS.get(name, {}))
    model = create_backbone(
        name,
        train,
        content if entry.backbone.uses_features else None,
        options,
        fields=random_fields(train),
    )
    record = {"built": time.perf_counter() - start, "base_mib": before}
    products, plains, epochs = [product()], [plain()], []
    if model.is_trained:
        config = TrainingConfig(max_epochs=1, batch_size=BATCH)
        trainer = Trainer(model, train, config, lambda _: {"recall@20": 0.0})
        for repeat in range(repeats + 1):  # the first one warms up
            start = time.perf_counter()
            trainer._train_epoch()
            epochs.append(time.perf_counter() - start)
            products.append(product())
            plains.append(plain())
            if repeat == 0:
                epochs.clear()
        record |= {"epoch": statistics.median(epochs), "best": min(epochs)}
    model.eval()
    start = time.perf_counter()
    with torch.inference_mode():
        scorer = model.scorer()
    record["scorer"] = time.perf_counter() - start
    start = time.perf_counter()
    rank(scorer, np.arange(1024), 20, exclude=[train])
    record["rank"] = time.perf_counter() - start
    record["product"] = statistics.median(products)
    record["plain"] = statistics.median(plains)
    record["mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return record


def cell(record: dict[str, float], key: str, digits: int = 2) -> str:
    return f"{record[key]:.{digits}f}" if key in record else ""


def row(name: str, record: dict[str, float], reference: dict[str, float]) -> str:
    """One row of the table; `reference` is LightGCN's."""
    bound = verdict = ""
    if name in BOUNDS:
        limits = [BOUNDS[name] * record[kind] / PRODUCT for kind in ("product", "plain")]
        bound = f"{BOUNDS[name]} → {limits[0]:.1f}, {limits[1]:.1f}"
        verdict = ", ".join("yes" if record["epoch"] <= limit else "**no**" for limit in limits)
    ratio = f"{record['epoch'] / reference['epoch']:.1f}" if "epoch" in record else ""
    return (
        f"| `{name}` | {cell(record, 'epoch')} | {ratio} | {1000 * record['product']:.2f}, "
        f"{1000 * record['plain']:.2f} | {bound} | {verdict} | {cell(record, 'built')} "
        f"| {cell(record, 'scorer')} | {cell(record, 'rank')} | {cell(record, 'mib', 0)} |"
    )


def write_pages(folder: Path, records: dict[str, dict[str, float]]) -> None:
    """Put each model's cost into its page."""
    for name, record in records.items():
        path = folder / f"{name}.md"
        epoch = f"an epoch {record['epoch']:.2f} s, " if "epoch" in record else ""
        ratio = f" ({record['epoch'] / record['product']:.0f} products of Â)" if epoch else ""
        cost = (
            f"**Cost** {epoch.rstrip(', ')}{ratio}{', ' if epoch else ''}built in "
            f"{record['built']:.1f} s, {record['mib']:.0f} MiB at most in its process, on "
            "Amazon-Baby's graph with 768-wide features, d 64, batch 2048 "
            "(`results/backbone-cost.md`)."
        )
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"^\*\*Cost\*\*.*$", cost, text, flags=re.MULTILINE), "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    parser.add_argument("--pages", type=Path, help="write the costs into the pages of this folder")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.repeats)))
        return
    records: dict[str, dict[str, float]] = {}
    lines = [
        f"{date.today()}, {platform.machine()}, {torch.get_num_threads()} threads, torch "
        f"{torch.__version__}. Times in seconds; products of Â at width 64 in ms: the fastest "
        "there is (no allocation), and the plain `A @ x`. Bounds are scaled by either.",
        "",
        "| backbone | epoch | of LightGCN's | products | bound, scaled | kept | built | scorer "
        "| rank 1,024 users | peak MiB |",
        "|---|---:|---:|---:|---:|---|---:|---:|---:|---:|",
    ]
    print("\n".join(lines), flush=True)
    names = arguments.only or [entry.name for entry in list_backbones()]
    for name in ["lightgcn", *(name for name in names if name != "lightgcn")]:
        command = [sys.executable, __file__, "--one", name, "--repeats", str(arguments.repeats)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            lines.append(f"| `{name}` | failed: {answer.stderr.strip().splitlines()[-1]} |")
        else:
            records[name] = json.loads(answer.stdout)
            lines.append(row(name, records[name], records["lightgcn"]))
        print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n", "utf-8")
    if arguments.pages:
        write_pages(arguments.pages, records)


if __name__ == "__main__":
    main()
