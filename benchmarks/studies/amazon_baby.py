"""Feature-free models on Amazon-Baby's interactions, published protocol (mask train only).

    python benchmarks/studies/amazon_baby.py SHARED/amazon-baby --work DIR

Chooses settings on the first seed's validation split, runs three seeds and writes
`results/amazon-baby.md` with the published numbers beside ours. What is done in DIR is reused.
"""

import argparse
import math
import platform
import time
from datetime import date
from pathlib import Path

import torch

from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.experiments.compare import compare
from cliper.experiments.comparison import analyse, load_comparison
from cliper.experiments.tables import comparison_rows, markdown
from cliper.experiments.variants import plan
from cliper.files import write_text

# Percent, test, d 64, as the literature reports them.
PUBLISHED = {
    "bpr": {"recall@10": 3.57, "recall@20": 5.75, "ndcg@10": 1.92, "ndcg@20": 2.49},
    "lightgcn": {"recall@10": 4.79, "recall@20": 7.54, "ndcg@10": 2.57, "ndcg@20": 3.28},
}
TRAINING = {"max_epochs": 1000, "validate_every": 5, "patience": 6, "learning_rate": 2e-3}
GRIDS: dict[str, dict[str, list]] = {
    "popularity": {},
    "itemknn": {"backbone.k": [20, 50, 100, 200], "backbone.shrinkage": [0, 10]},
    "turbo-cf": {"backbone.alpha": [0.4, 0.5], "backbone.power": [0.7, 1.0, 1.3, 1.6]},
    "ials": {"backbone.confidence": [1, 5, 20, 40], "backbone.l2": [1, 10]},
    "ease": {"backbone.l2": [50, 100, 200, 300, 500, 1000, 2000, 4000]},
    "bpr": {"backbone.l2": [1e-2, 3e-2, 1e-1]},
    "lightgcn": {"backbone.n_layers": [2], "backbone.l2": [1e-3, 1e-2]},
    "neumf": {"backbone.l2": [0.0, 1e-3]},
    "ngcf": {"backbone.n_layers": [1, 2]},
}


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
    start = time.perf_counter()
    path = arguments.work / "baby"
    if not (path / "dataset.json").is_file():
        prepare_files(None, arguments.source / "interactions.csv.gz", None, path)
    dataset = Dataset.load(path)
    split = make_split(dataset, "random", 0)
    sizes = f"{len(split.train):,} / {len(split.valid):,} / {len(split.test):,}"
    assert sizes == "118,551 / 20,559 / 21,682", sizes

    outcomes = []
    budgets = []
    for backbone, grid in GRIDS.items():
        if (arguments.work / backbone / "compare.json").is_file():  # done by an earlier call
            outcomes += load_comparison(arguments.work / backbone).outcomes
        elif arguments.only is None or backbone in arguments.only:
            comparison = compare(
                dataset,
                plan([backbone], ["none"], []),
                range(arguments.seeds),
                arguments.work / backbone,
                base={"training": TRAINING, "evaluation": {"mask": "train"}},
                grid=grid,
            )
            outcomes += comparison.outcomes
            print(markdown(comparison_rows(comparison)), flush=True)
        else:
            continue
        budgets.append(f"{math.prod(len(v) for v in grid.values())} ({backbone})")
    lines = ["| model | metric | published | ours | reached |", "|---|---|---:|---:|---:|"]
    for outcome in outcomes:
        for metric, published in PUBLISHED.get(outcome.variant.backbone, {}).items():
            ours = 100 * outcome.values(metric)
            lines.append(
                f"| {outcome.variant.backbone} | {metric} | {published:.2f} | "
                f"{ours.mean():.2f} ± {ours.std(ddof=1):.2f} | {ours.mean() / published:.3f} |"
            )
    whole = analyse(outcomes, "recall@20")
    chosen = "\n".join(f"- {o.variant.name}: `{dict(o.chosen)}`" for o in outcomes)
    text = f"""# Amazon-Baby, interactions alone, published protocol

Split sizes {sizes}; test masks training positives only, percent, mean ± deviation of
{arguments.seeds} seeds (split, negatives and initial weights all follow the seed; the literature's
numbers are of one split).

{chr(10).join(lines)}

{markdown(comparison_rows(whole))}

Settings were chosen on validation (first seed) among so many configurations: {", ".join(budgets)}.
Models without a row have not been run.

{chosen}

Command: `python benchmarks/studies/amazon_baby.py SHARED/amazon-baby --work DIR`. {date.today()},
{platform.machine()}, {arguments.threads} threads, Python {platform.python_version()}, torch
{torch.__version__}, {time.perf_counter() - start:.0f} s (0 where all was there already).
"""
    write_text(arguments.out / "amazon-baby.md", text)


if __name__ == "__main__":
    main()
