"""Training epochs against their floor, interleaved in one process.

Floor of a LightGCN epoch (K layers): steps × [2K CSR products at width d + one fused Adam step on
the node table + the gathers of the loss, forward and backward]. Everything else (sampling, the
loss itself, Python) is what the ratio shows. FREEDOM is measured beside it with 768-wide
trainable features; peak memory is of this process.

    python benchmarks/training.py [--repeats 5]
"""

import argparse
import os
import platform
import resource
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch

from cliper.backbones import create_backbone
from cliper.data import Dataset, Interactions, Split, Vocabulary
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.graphs import SparseGraph, normalized_adjacency
from cliper.representation import random_features
from cliper.training import Trainer, TrainingConfig

WIDTH, BATCH, LAYERS = 64, 2048, 2


def interactions() -> Interactions:
    """Amazon-Baby's training part, or a synthetic graph of its size and skew."""
    data = Path(os.environ.get("CLIPER_DATA", "../shared/data")) / "amazon-baby"
    if data.is_dir():
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            prepare_files(None, data / "interactions.csv.gz", None, Path(folder) / "baby")
            split: Split = make_split(Dataset.load(Path(folder) / "baby"), "random", 0)
            return split.train
    generator = np.random.default_rng(0)
    users = generator.integers(19445, size=130_000)
    items = (7050 * generator.random(130_000) ** 2.5).astype(np.int64)
    keys = np.unique(users * 7050 + items)[:118_551]
    names = Vocabulary(map(str, range(19445))), Vocabulary(map(str, range(7050)))
    return Interactions(*names, keys // 7050, keys % 7050)


def floor_epoch(train: Interactions, steps: int) -> float:
    """Seconds of the bare operations of one epoch."""
    graph = SparseGraph(normalized_adjacency(train.matrix()), symmetric=True).tensor
    nodes = torch.nn.Parameter(torch.randn(train.n_users + train.n_items, WIDTH))
    nodes.grad = torch.randn_like(nodes)
    optimizer = torch.optim.Adam([nodes], fused=True)
    rows = torch.randint(len(nodes), (3 * BATCH,))
    gradient = torch.randn(3 * BATCH, WIDTH)
    x = torch.randn(len(nodes), WIDTH)
    y = torch.empty_like(x)
    for _ in range(3):
        torch.addmm(x, graph, x, beta=0, out=y)
        optimizer.step()
    start = time.perf_counter()
    for _ in range(steps):
        for _ in range(2 * LAYERS):
            torch.addmm(x, graph, x, beta=0, out=y)  # no allocation: the fastest product there is
        for _ in range(2):  # propagated rows and free rows
            x.index_select(0, rows)
            torch.zeros_like(x).index_add_(0, rows, gradient)
        optimizer.step()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    train = interactions()
    content = random_features(train.items.hash, train.n_items, width=768)
    frozen = {"trainable_features": False}
    models = {
        "bpr": ("bpr", None, {}),
        "lightgcn": ("lightgcn", None, {"n_layers": LAYERS}),
        "vbpr": ("vbpr", content, {}),
        "freedom, features fixed": ("freedom", content, frozen),
        "freedom, features trained": ("freedom", content, {}),
    }
    trainers = {}
    for name, (backbone, features, options) in models.items():
        start = time.perf_counter()
        model = create_backbone(backbone, train, features, options)
        built = time.perf_counter() - start
        config = TrainingConfig(max_epochs=1, batch_size=BATCH)
        trainers[name] = (Trainer(model, train, config, lambda _: {"recall@20": 0.0}), built)
    steps = next(iter(trainers.values()))[0].sampler.batches
    graph = SparseGraph(normalized_adjacency(train.matrix()), symmetric=True).tensor
    x = torch.randn(train.n_users + train.n_items, WIDTH)
    y = torch.empty_like(x)
    times: dict[str, list[float]] = {"floor": [], "csr": [], **{n: [] for n in trainers}}
    for repeat in range(arguments.repeats + 1):  # the first round warms up
        start = time.perf_counter()
        for _ in range(20):
            torch.addmm(x, graph, x, beta=0, out=y)
        csr = (time.perf_counter() - start) / 20
        row = {"csr": csr, "floor": floor_epoch(train, steps)}
        for name, (trainer, _) in trainers.items():
            start = time.perf_counter()
            trainer._train_epoch()
            row[name] = time.perf_counter() - start
        if repeat:
            for name, seconds in row.items():
                times[name].append(seconds)
    median = {name: statistics.median(values) for name, values in times.items()}
    print(f"{len(train)} pairs, {steps} steps, d {WIDTH}, batch {BATCH}, ", end="")
    print(
        f"{torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}, ",
        end="",
    )
    print(f"{date.today()}; one CSR product {1000 * median['csr']:.2f} ms")
    print(
        "| epoch of | median s | best s | × LightGCN's floor | built in s |\n"
        "|---|---:|---:|---:|---:|"
    )
    print(f"| floor | {median['floor']:.3f} | {min(times['floor']):.3f} | 1.00 | |")
    for name, (_, built) in trainers.items():
        # The ratio is taken round by round: both sides saw the same machine.
        ratio = statistics.median(a / b for a, b in zip(times[name], times["floor"], strict=True))
        print(
            f"| {name} | {median[name]:.3f} | {min(times[name]):.3f} | {ratio:.2f} | {built:.2f} |"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of this process, all models at once: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
