"""What large sets cost: epochs, validation, test and item graphs, each beside its floor.

    python benchmarks/scale.py [--rows bpr vbpr …] [--work DIR] [--lenskit PYTHON] [--again]

The set is seeded and skewed: 300,000 users, 100,000 items, 4.9M interactions, four fifths of them
for training. Every row runs in a process of its own, so that its peak memory is its own, and keeps
its numbers in DIR; what is there is not run again (`--again` does). Ratios are of what ran in turns
in one process. `results/scale.md` is written from what is there. The rows of a million are not
among the defaults. LensKit is measured with an interpreter that has it.
"""

import argparse
import itertools
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch

from cliper.backbones import create_backbone
from cliper.data import Interactions, Vocabulary
from cliper.data.prepare import prepare_files
from cliper.encoders.base import Encodings
from cliper.experiments.run.split import drawn_users
from cliper.files import write_text
from cliper.graphs import nearest_neighbours, neighbour_search
from cliper.ranking import FactorScorer, evaluate
from cliper.representation.features import ItemFeatures
from cliper.representation.learned import item_factors, learn_weights
from cliper.training import Trainer, TrainingConfig

WIDTH, BATCH, FEATURES = 64, 8192, 384
USERS, ITEMS, ROWS, MILLION = 300_000, 100_000, 4_900_000, 1_000_000
RESULT = Path(__file__).parents[1] / "results" / "scale.md"
Numbers = dict[str, Any]
Parts = tuple[Interactions, Interactions, Interactions]


def interactions(n_users: int, n_items: int, rows: int) -> Parts:
    """Distinct pairs, users and items by power laws: train, validation and test by 8 : 1 : 1."""
    generator = np.random.default_rng(0)
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < rows:
        users = (n_users * generator.random(rows) ** 1.6).astype(np.int64)
        items = (n_items * generator.random(rows) ** 2.2).astype(np.int64)
        keys = np.sort(np.concatenate([keys, users * n_items + items]))
        keys = keys[np.append(True, keys[1:] != keys[:-1])]
    keys = generator.permutation(keys)[:rows]
    names = Vocabulary(map(str, range(n_users))), Vocabulary(map(str, range(n_items)))
    cut = [0, rows * 8 // 10, rows * 9 // 10, rows]
    parts = [np.sort(keys[a:b]) for a, b in itertools.pairwise(cut)]
    train, valid, test = (Interactions(*names, k // n_items, k % n_items) for k in parts)
    return train, valid, test


def content(n: int, width: int = FEATURES) -> torch.Tensor:
    """Rows around n/100 centres in 48 dimensions, as encoders make them, and noise: (n, width)."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(max(1, n // 100), 48, generator=generator)
    place = (len(centres) * torch.rand(n, generator=generator) ** 1.5).long()
    hidden = centres[place] + 0.6 * torch.randn(n, 48, generator=generator)
    table = hidden @ (torch.randn(48, width, generator=generator) / 7)
    return table.add_(0.15 * torch.randn(n, width, generator=generator))


def trainer(name: str, train: Interactions) -> Trainer:
    features = None
    if name == "vbpr":
        features = ItemFeatures(train.items.hash, {"text": content(train.n_items)}, kind="given")
    model = create_backbone(name, train, features, {"embedding_size": WIDTH})
    config = TrainingConfig(batch_size=BATCH, max_epochs=1)
    return Trainer(model, train, config, lambda _: {"recall@20": 0.0})


def floor_epoch(train: Interactions, features: torch.Tensor | None) -> float:
    """Seconds of the bare operations: rows read, products, rows and second moments written."""
    n_users, n_items = train.n_users, train.n_items
    tables = [torch.randn(n, WIDTH) for n in (n_users, n_items)]
    moments = [torch.ones(n, WIDTH) for n in (n_users, n_items)]
    weight = torch.randn(FEATURES, WIDTH + 1)
    order = torch.from_numpy(np.random.default_rng(1).permutation(len(train)))
    start = time.perf_counter()
    users = torch.from_numpy(train.user_index)[order]
    items = torch.from_numpy(train.item_index)[order]
    others = torch.randint(n_items, (len(train),))
    for u, i, j in zip(*(torch.split(c, BATCH) for c in (users, items, others)), strict=True):
        both = torch.cat([i, j])
        for table, moment, rows in zip(tables, moments, (u, both), strict=True):
            gradient = table.index_select(0, rows)
            distinct, place = torch.unique(rows, return_inverse=True)
            total = gradient.new_zeros(len(distinct), WIDTH).index_add_(0, place, gradient)
            moment.index_copy_(0, distinct, moment.index_select(0, distinct).mul_(0.9))
            table.index_add_(0, distinct, total.mul_(-1e-9))
        if features is not None:
            difference = features.index_select(0, i) - features.index_select(0, j)
            weight.addmm_(difference.T, difference @ weight, alpha=1e-12)
    return time.perf_counter() - start


def epochs(name: str, train: Interactions, repeats: int = 2) -> tuple[list[float], list[float]]:
    """Seconds of epochs and of their floor, in turns; a first epoch of each warms up."""
    loop, found = trainer(name, train), ([], [])
    features = content(train.n_items) if name == "vbpr" else None
    for repeat in range(repeats + 1):
        start = time.perf_counter()
        loop._train_epoch()
        times = time.perf_counter() - start, floor_epoch(train, features)
        if repeat:
            for column, seconds in zip(found, times, strict=True):
                column.append(seconds)
    return found


def epoch(name: str) -> Numbers:
    train = interactions(USERS, ITEMS, ROWS)[0]
    seconds, floor = epochs(name, train)
    return {"seconds": min(seconds), "floor": min(floor), "what": f"{len(train)} pairs"}


def graph_epoch(name: str, train: Interactions, steps: int = 6) -> Numbers:
    """Of `batch_size: auto`'s 64 steps some, in turns with their sparse products.

    LightGCN's two layers and FREEDOM's (pruned) are two products forward and two backward; FREEDOM
    has its item graph's besides.
    """
    features = None
    if name == "freedom":
        features = ItemFeatures(train.items.hash, {"text": content(train.n_items)}, kind="given")
    with neighbour_search("auto"):
        model = create_backbone(name, train, features, {"embedding_size": WIDTH, "n_layers": 2})
    loop = Trainer(model, train, TrainingConfig(max_epochs=1), lambda _: {"recall@20": 0.0})
    batches = loop.sampler.epoch()
    loop.sampler.epoch = lambda _: itertools.islice(batches, 1)  # type: ignore[method-assign]
    start = time.perf_counter()
    model.on_epoch_start(torch.Generator().manual_seed(0))
    begun = time.perf_counter() - start
    model.on_epoch_start = lambda _: None  # type: ignore[method-assign]
    nodes = torch.randn(train.n_users + train.n_items, WIDTH)
    products = [(getattr(model, "pruned", model.graph).tensor, nodes, 4)]
    if name == "freedom":
        products.append((model.item_graph.tensor, nodes[train.n_users :], 2))
    out = torch.empty_like(nodes)
    taken: tuple[list[float], list[float]] = ([], [])
    for step in range(steps + 1):
        start = time.perf_counter()
        loop._train_epoch()
        between = time.perf_counter()
        for matrix, x, times in products:
            for _ in range(times):
                torch.addmm(out[: len(x)], matrix, x, beta=0, out=out[: len(x)])
        if step:
            taken[0].append(between - start)
            taken[1].append(time.perf_counter() - between)
    seconds, floor = (loop.sampler.batches * statistics.median(t) for t in taken)
    what = f"{len(train)} pairs, {loop.sampler.batches} steps; from {steps} of them"
    return {"seconds": begun + seconds, "floor": floor, "what": what}


def implicit() -> Numbers:
    """BPR of `implicit`, in turns with ours: an iteration is a pass over all rows."""
    from implicit.bpr import BayesianPersonalizedRanking

    train = interactions(USERS, ITEMS, ROWS)[0]
    matrix, loop = train.matrix(), trainer("bpr", train)
    loop._train_epoch()
    ours, theirs = [], []
    for _ in range(2):
        start = time.perf_counter()
        loop._train_epoch()
        ours.append(time.perf_counter() - start)
        taken = []
        for iterations in (1, 3):
            model = BayesianPersonalizedRanking(
                factors=WIDTH, iterations=iterations, num_threads=torch.get_num_threads()
            )
            start = time.perf_counter()
            model.fit(matrix, show_progress=False)
            taken.append(time.perf_counter() - start)
        theirs.append((taken[1] - taken[0]) / 2)
    return {"seconds": min(ours), "floor": min(theirs), "what": "beside an iteration of implicit"}


def doubled() -> Numbers:
    """The same number of rows among twice the users and items, in turns with once as many."""
    loops = [
        trainer("bpr", interactions(USERS * times, ITEMS * times, ROWS)[0]) for times in (1, 2)
    ]
    times: list[list[float]] = [[], []]
    for repeat in range(3):
        for loop, column in zip(loops, times, strict=True):
            start = time.perf_counter()
            loop._train_epoch()
            if repeat:
                column.append(time.perf_counter() - start)
    return {"seconds": min(times[1]), "floor": min(times[0]), "what": "beside once as many"}


def ranking(part: str, n: int) -> Numbers:
    """Ranking for n users of one part beside a product and a top-k a chunk."""
    train, valid, test = interactions(USERS, ITEMS, ROWS)
    relevant = drawn_users(valid if part == "valid" else test, n, 0)
    generator = torch.Generator().manual_seed(0)
    users = torch.randn(USERS, WIDTH, generator=generator)
    items = torch.randn(ITEMS, WIDTH, generator=generator)
    asked = torch.from_numpy(np.flatnonzero(relevant.user_counts()))

    def floor(chunk: int) -> None:
        buffer = torch.empty(chunk, ITEMS)
        for rows in torch.split(asked, chunk):
            torch.topk(torch.mm(users[rows], items.T, out=buffer[: len(rows)]), 50)

    best: Numbers = {}
    with torch.inference_mode():
        for _ in range(2):
            works: dict[str, Callable[[], object]] = {
                "seconds": lambda: evaluate(
                    FactorScorer(users, items), relevant, train=train, chunk_size=512
                ),
                "floor": lambda: floor(64),
                "floor of 256": lambda: floor(256),
            }
            for name, work in works.items():
                start = time.perf_counter()
                work()
                taken = time.perf_counter() - start
                best[name] = min(best.get(name, taken), taken)
    best["floor"] = min(best["floor"], best.pop("floor of 256"))
    return {**best, "what": f"{len(asked)} users × {ITEMS} items"}


def item_graph(n: int, kind: str) -> Numbers:
    """k 10 among n items, beside the bare product of all pairs (a part of it, in proportion)."""
    table = torch.nn.functional.normalize(content(n), dim=1)
    start = time.perf_counter()
    with neighbour_search(kind) as searched:  # type: ignore[arg-type]
        nearest_neighbours(table, 10)
    seconds = time.perf_counter() - start
    rows = min(n, 2**24 // n)
    start = time.perf_counter()
    for part in torch.split(table[: 10 * rows], rows):
        part @ table.T
    product = (time.perf_counter() - start) * n / min(n, 10 * rows)
    what = f"{n} × {FEATURES}, {kind}"
    if searched.recalls:
        what += f", recall@10 {searched.recalls[0]:.4f}"
    return {"seconds": seconds, "floor": product, "what": what}


def prepared_million(work: Path) -> Numbers:
    """`prepare files` of 10M rows of a million users and items, beside Arrow's reading of them."""
    shop, out = work / "shop", work / "dataset"
    shop.mkdir(exist_ok=True)
    train = interactions(MILLION, MILLION, 12_500_000)[0]
    columns = {"user_id": train.user_index, "item_id": train.item_index}
    pyarrow.csv.write_csv(pa.table(columns), shop / "interactions.csv")
    names = np.arange(MILLION).astype("U7")
    titles = np.char.add("thing ", names)
    pyarrow.csv.write_csv(pa.table({"item_id": names, "title": titles}), shop / "items.csv")
    shutil.rmtree(out, ignore_errors=True)
    start = time.perf_counter()
    prepare_files(shop / "items.csv", shop / "interactions.csv", None, out, k_core=0)
    between = time.perf_counter()
    for file in shop.iterdir():
        pyarrow.csv.read_csv(file)
    seconds, floor = between - start, time.perf_counter() - between
    return {"seconds": seconds, "floor": floor, "what": f"{len(train)} rows of CSV, 1M titles"}


def recommended_million(work: Path) -> Numbers:
    """`recommend` for one user, each time a fresh process; one that only imports PyTorch beside.

    The run is a trained one of a few users and items, with the vectors and logs of a million.
    """
    import serving

    run = work / "run"
    if not run.exists():
        serving.million(run, MILLION, each=10)
    start = "import sys; from cliper.cli import main; sys.exit(main(sys.argv[1:]))"
    asked = [sys.executable, "-c", start, "recommend", str(run), "--user", "u77"]
    best: Numbers = {}
    for _ in range(3):
        for name, command in {
            "seconds": asked, "floor": [sys.executable, "-c", "import torch"],
        }.items():  # fmt: skip
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            best[name] = min(best.get(name, 1e9), time.perf_counter() - begun)
    return {**best, "what": "1M users × 1M items"}


def learned_weights(work: Path) -> Numbers:
    """`learn_weights` from memory-mapped encodings, in turns with the SVD of its three folds."""
    train = interactions(USERS, ITEMS, ROWS)[0]
    views = ("title", "brand", "categories", "description", "global")
    shape = (len(views) + 1, ITEMS, FEATURES)
    file = work / "views.npy"
    if not file.exists():
        table = np.lib.format.open_memmap(file, "w+", np.float32, shape)
        for j in range(len(table)):
            order = torch.randperm(ITEMS, generator=torch.Generator().manual_seed(j))
            table[j] = content(ITEMS)[order].numpy()
        table.flush()
    table = np.load(file, mmap_mode="r")
    there = np.ones(shape[:2], np.bool_)
    encodings = Encodings(
        train.items.hash, "generated", "generated", views, table[:-1], there[:-1], table[-1],
        there[-1],
    )  # fmt: skip
    start = time.perf_counter()
    learn_weights(encodings, train)
    between = time.perf_counter()
    for _ in range(3):
        item_factors(train.matrix().astype(np.float64))
    seconds, floor = between - start, time.perf_counter() - between
    return {"seconds": seconds, "floor": floor, "what": f"{ITEMS} items × {shape[0]} views"}


def million(name: str) -> Numbers:
    train = interactions(MILLION, MILLION, 12_500_000)[0]
    seconds, floor = epochs(name, train, repeats=1)
    return {"seconds": min(seconds), "floor": min(floor), "what": f"{len(train)} pairs"}


LENSKIT = """
import json, resource, sys, time
import numpy as np, pandas as pd
from lenskit.data import from_interactions_df
from lenskit.flexmf import FlexMFImplicitScorer
from lenskit.training import TrainingOptions
pairs = np.load(sys.argv[1])
frame = pd.DataFrame({"user_id": pairs[0], "item_id": pairs[1]})
data = from_interactions_df(frame)
taken = []
for epochs in (1, 2):
    model = FlexMFImplicitScorer(
        embedding_size=64, loss="pairwise", batch_size=8192, epochs=epochs, reg_method=None
    )
    start = time.perf_counter()
    model.train(data, TrainingOptions(device="cpu"))
    taken.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": taken[1] - taken[0], "peak": peak}))
"""


def lenskit(python: str) -> Numbers:
    """A pairwise matrix factorisation of LensKit (FlexMF), one epoch, on the same rows."""
    train = interactions(USERS, ITEMS, ROWS)[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.npy"
        np.save(file, np.stack([train.user_index, train.item_index]))
        done = subprocess.run(
            [python, "-c", LENSKIT, str(file)], capture_output=True, text=True, check=True
        )
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return {**numbers, "what": "LensKit FlexMF, pairwise, batch 8,192"}


BARE, PRODUCT, PAIRS = "bare operations", "product and top-k", "product of all pairs"
SPARSE = "4 sparse products a step"
TABLE: dict[str, tuple[str, str, str, Callable[[Path], Numbers]]] = {
    "bpr": ("BPR, an epoch", BARE, "≤ 10 s", lambda _: epoch("bpr")),
    "implicit": ("BPR, an epoch", "`implicit`'s", "≤ 2 ×", lambda _: implicit()),
    "vbpr": (f"VBPR, features {FEATURES} wide", BARE, "≤ 12 s", lambda _: epoch("vbpr")),
    "doubled": ("BPR, twice the users and items", "once as many", "≤ 1.1 ×", lambda _: doubled()),
    "lightgcn": (
        "LightGCN, 2 layers, an epoch",
        SPARSE,
        "≤ 1.5 ×",
        lambda _: graph_epoch("lightgcn", interactions(USERS, ITEMS, ROWS)[0]),
    ),
    "validation": ("validation", PRODUCT, "≤ 6 s", lambda _: ranking("valid", 10_000)),
    "test": ("test, a tenth of the users", PRODUCT, "≤ 1.3 ×", lambda _: ranking("test", 30_000)),
    "graph-exact": ("item graph", PAIRS, "", lambda _: item_graph(100_000, "exact")),
    "graph": ("item graph", PAIRS, "", lambda _: item_graph(100_000, "approximate")),
    "graph-million": ("item graph", PAIRS, "≤ 600 s", lambda _: item_graph(1_000_000, "auto")),
    "bpr-million": ("BPR, 1M users, 1M items", BARE, "", lambda _: million("bpr")),
    "vbpr-million": ("VBPR, 1M users, 1M items", BARE, "≤ 30 s", lambda _: million("vbpr")),
    "freedom-million": (
        "FREEDOM, 1M users, 1M items",
        "its sparse products",
        "≤ 360 s, 12 GiB",
        lambda _: graph_epoch("freedom", interactions(MILLION, MILLION, 12_500_000)[0], 3),
    ),
    "learned": ("learned view weights", "its three SVDs", "", learned_weights),
    "prepare-million": ("`prepare files`", "Arrow's reading", "≤ 180 s", prepared_million),
    "recommend-million": (
        "`recommend`, a fresh process",
        "`import torch`",
        "≤ 3 s",
        recommended_million,
    ),
}
DEFAULT = [name for name in TABLE if not name.endswith("million")]


def one(name: str, work: Path, python: str | None) -> Numbers:
    """Run a row in this process."""
    load = os.getloadavg()[0]
    numbers = lenskit(str(python)) if name == "lenskit" else TABLE[name][3](work)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"peak": peak, "load": load, "date": str(date.today()), **numbers}


def page(work: Path) -> str:
    lines = [
        "| | of | s | floor, s | × | floor is of | goal | peak MiB | load at its start |",
        "|---|---|---:|---:|---:|---|---|---:|---:|",
    ]
    labels = {k: v[:3] for k, v in TABLE.items()} | {"lenskit": ("BPR, an epoch", "", "")}
    for name, (label, floor, goal) in labels.items():
        file = work / f"{name}.json"
        if not file.exists():
            continue
        n = json.loads(file.read_text())
        under = f"{n['floor']:.2f} | {n['seconds'] / n['floor']:.2f}" if "floor" in n else " | "
        lines.append(
            f"| {label} | {n['what']} | {n['seconds']:.2f} | {under} | {floor} | {goal} |"
            f" {n['peak']:.0f} | {n['load']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=[*TABLE, "lenskit"], default=DEFAULT)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "cliper-scale")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--lenskit", help="an interpreter that has LensKit: adds its row")
    parser.add_argument("--again", action="store_true", help="run also what is there")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        torch.set_num_threads(options.threads)
        write_text(
            options.work / f"{options.one}.json",
            json.dumps(one(options.one, options.work, options.lenskit)),
        )
        return
    options.work.mkdir(parents=True, exist_ok=True)
    names = [*options.rows, *(["lenskit"] if options.lenskit else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads)}
    for name in dict.fromkeys(names):
        if options.again or not (options.work / f"{name}.json").exists():
            command = [sys.executable, __file__, "--one", name, "--work", str(options.work)]
            command += ["--threads", str(options.threads)]
            command += ["--lenskit", options.lenskit] if options.lenskit else []
            start = time.perf_counter()
            failed = subprocess.run(command, env=environment).returncode
            print(f"{name}: {time.perf_counter() - start:.0f} s", "FAILED" if failed else "")
        head = (
            "# What large sets cost\n\n"
            f"{USERS:,} users, {ITEMS:,} items, {ROWS:,} interactions, seeded and skewed; width "
            f"{WIDTH}, batch {BATCH:,}, {options.threads} threads; the better of two, in turns "
            f"with the floor. {date.today()}, {platform.machine()}, torch {torch.__version__}. "
            "Peak memory is of the row's own process, the making of the set among it. Where the "
            "load is above the threads others ran beside it: of such rows the ratios say "
            "something, the seconds little. "
            "Command: `python benchmarks/scale.py`.\n\n"
        )
        write_text(RESULT, head + page(options.work) + "\n")
    print(page(options.work))


if __name__ == "__main__":
    main()
