"""Feature-free models on Amazon-Baby's interactions, published protocol (mask train only).

    python benchmarks/studies/amazon_baby.py SHARED/amazon-baby --work DIR [--only NAME …]

Chooses settings on the first seed's validation split, runs three seeds and writes
`results/amazon-baby.md`, a row a model, beside the published numbers. It may be run in pieces: what
is done in DIR is reused, and the rows of models that DIR does not have stay as the file has them.
"""

import argparse
import csv
import gzip
import math
import platform
import re
import time
from datetime import date
from pathlib import Path

import torch

from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import Outcome, load_comparison
from cliper.experiments.comparisons.variants import plan
from cliper.files import write_text

METRICS = ("recall@10", "recall@20", "recall@50", "ndcg@10", "ndcg@20", "ndcg@50")
# Percent, test, d 64. A: Zhou and Shen, FREEDOM (arXiv 2211.06924), and later papers on its split;
# B: Zhang et al., LATTICE (arXiv 2104.09036), the same data and protocol on another random split.
PUBLISHED = {
    "bpr": dict(zip(METRICS, (3.57, 5.75, 10.54, 1.92, 2.49, 3.45), strict=True)),
    "lightgcn": dict(zip(METRICS, (4.79, 7.54, 13.33, 2.57, 3.28, 4.45), strict=True)),
    "ngcf": {"recall@20": 5.91, "ndcg@20": 2.61},
}
TRAINING = {"max_epochs": 1000, "validate_every": 5, "patience": 6, "learning_rate": 2e-3}
GRIDS: dict[str, dict[str, list]] = {
    "popularity": {},
    "itemknn": {"backbone.k": [20, 50, 100, 200], "backbone.shrinkage": [0, 10]},
    "turbo-cf": {"backbone.alpha": [0.4, 0.5], "backbone.power": [0.7, 1.0, 1.3, 1.6]},
    "ials": {"backbone.confidence": [1, 5, 20, 40], "backbone.ridge": [1, 10]},
    "ease": {"backbone.ridge": [50, 100, 200, 300, 500, 1000, 2000, 4000]},
    "bpr": {"backbone.l2": [1e-2, 3e-2, 1e-1]},
    "lightgcn": {"backbone.n_layers": [2], "backbone.l2": [1e-3, 1e-2]},
    "fm": {"backbone.l2": [3e-2, 1e-1]},
    "neumf": {"backbone.l2": [1e-3, 1e-2]},
    "ngcf": {"backbone.n_layers": [2], "backbone.l2": [1e-3, 1e-2]},
}
COLUMNS = (
    *("model", "Recall@10", "Recall@20", "Recall@50", "NDCG@10", "NDCG@20", "NDCG@50"),
    *("tried", "chosen", "run"),
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * 7}---|---|\n"


def prepare(source: Path, work: Path) -> Dataset:
    """The dataset, its items known by id alone (FM wants a catalogue, and gets no field)."""
    path = work / "baby"
    if not (path / "dataset.json").is_file():
        with gzip.open(source / "interactions.csv.gz", "rt") as lines:
            ids = sorted({row["item_id"] for row in csv.DictReader(lines)})
        work.mkdir(parents=True, exist_ok=True)
        (work / "items.csv").write_text("item_id\n" + "\n".join(ids) + "\n", "utf-8")
        prepare_files(work / "items.csv", source / "interactions.csv.gz", None, path)
    return Dataset.load(path)


def row(outcome: Outcome) -> str:
    """A model's line in the table, percent, the published number in brackets."""
    name = outcome.variant.backbone
    cells = []
    for metric in METRICS:
        ours = 100 * outcome.values(metric)
        known = PUBLISHED.get(name, {}).get(metric)
        cells.append(
            f"{ours.mean():.2f} ± {ours.std(ddof=1):.2f}" + (f" ({known:.2f})" if known else "")
        )
    tried = math.prod(len(v) for v in GRIDS[name].values())
    chosen = ", ".join(f"{k.split('.')[1]} {v}" for k, v in outcome.chosen.items())
    return f"| {name} | {' | '.join(cells)} | {tried} | {chosen} | {date.today()} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=sorted(GRIDS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    dataset = prepare(arguments.source, arguments.work)
    split = make_split(dataset, "random", 0)
    sizes = f"{len(split.train):,} / {len(split.valid):,} / {len(split.test):,}"
    assert sizes == "118,551 / 20,559 / 21,682", sizes

    file = arguments.out / "amazon-baby.md"
    known = file.read_text("utf-8") if file.is_file() else ""
    rows = {name: line for line, name in re.findall(r"^(\| ([\w-]+) \|.*\d{4}-.*\|)$", known, re.M)}
    for name, grid in GRIDS.items():
        if (arguments.work / name / "compare.json").is_file():  # done by an earlier call
            outcomes = load_comparison(arguments.work / name).outcomes
        elif arguments.only is None or name in arguments.only:
            start = time.perf_counter()
            outcomes = compare(
                dataset,
                plan([name], ["none"], []),
                range(arguments.seeds),
                arguments.work / name,
                base={"training": TRAINING, "evaluation": {"mask": "train"}},
                grid=grid,
            ).outcomes
            print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)
        else:
            continue
        rows[name] = row(outcomes[0])
        print(rows[name], flush=True)
    table = HEADER + "\n".join(rows[name] for name in GRIDS if name in rows)
    write_text(
        file,
        f"""# Amazon-Baby, interactions alone, published protocol

Split sizes {sizes}; test masks training positives only, candidates are all items, percent, mean ±
deviation of {arguments.seeds} seeds (split, negatives and initial weights all follow the seed; the
literature's numbers are of one split). In brackets the published number: BPR and LightGCN from
FREEDOM (arXiv 2211.06924) and the papers after it, NGCF from LATTICE (arXiv 2104.09036; on its
split BPR has 4.40 and LightGCN 6.98 Recall@20). For the others none is known on these splits.

{table}

Width 64, settings chosen on the first seed's validation Recall@20 among as many configurations as
the column says, training stopped after 30 epochs without a better one. FM has ids alone here.

Command: `python benchmarks/studies/amazon_baby.py SHARED/amazon-baby --work DIR [--only NAME …]`,
{platform.machine()}, {arguments.threads} threads, Python {platform.python_version()}, torch
{torch.__version__}.
""",
    )


if __name__ == "__main__":
    main()
