"""What the published protocol does to the numbers: masking, selection on test, rounding.

    python benchmarks/studies/protocol.py SHARED/amazon-baby --work DIR

LightGCN on Amazon-Baby's interactions, three seeds, a small grid. Every training keeps its whole
curve: validation, test with training positives masked, test with validation positives masked too.
From the same curves each protocol then picks its epoch and configuration, so that two rows of the
table differ by the protocol and by nothing else. What is done in DIR is reused.
"""

import argparse
import itertools
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cliper.backbones import create_backbone
from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.files import read_json, write_json, write_text
from cliper.ranking import evaluate
from cliper.training import Trainer, TrainingConfig

GRID = {"n_layers": [2], "l2": [1e-3, 1e-2]}
METRICS = ("recall@10", "recall@20", "ndcg@10", "ndcg@20")
Point = dict[str, Any]  # epoch → {"valid": metrics, "masked": metrics, "unmasked": metrics}


def curve(dataset: Dataset, options: dict[str, Any], seed: int, epochs: int) -> list[Point]:
    """Train once; the metrics of every fifth epoch."""
    split = make_split(dataset, "random", seed)
    backbone = create_backbone("lightgcn", split.train, options=options, seed=seed)
    points: list[Point] = []

    def validate(model: Any) -> dict[str, float]:
        with torch.inference_mode():
            model.eval()
            scorer = model.scorer(split.train)
            valid = evaluate(scorer, split.valid, train=split.train)
            shown = evaluate(scorer, split.test, train=split.train)
            masked = evaluate(scorer, split.test, train=split.train, valid=split.valid)
        parts = {"valid": valid, "unmasked": shown, "masked": masked}
        points.append({name: dict(part.metrics) for name, part in parts.items()})
        return dict(valid.metrics)

    config = TrainingConfig(
        max_epochs=epochs, validate_every=5, patience=1000, learning_rate=2e-3, seed=seed
    )
    Trainer(backbone, split.train, config, validate).fit()
    return points


@dataclass(frozen=True)
class Protocol:
    """How an epoch and a configuration are picked, and what is reported.

    Attributes:
        name: for the table.
        epoch_by, settings_by: the part whose Recall@20 decides.
        report: the part that is reported.
        decimals: metrics are rounded before they are compared; None for not.
        patience: evaluations without improvement of `epoch_by`, after which no later epoch counts.
    """

    name: str
    epoch_by: str
    settings_by: str
    report: str
    decimals: int | None = None
    patience: int = 10

    def pick(self, curves: Sequence[list[Point]]) -> Point:
        """The point that this protocol reports, of one seed's curves."""
        best = [points[self._epoch(points)] for points in curves]
        return max(best, key=lambda point: self._value(point, self.settings_by))

    def _epoch(self, points: list[Point]) -> int:
        chosen, since = 0, 0
        for i, point in enumerate(points[1:], 1):
            before = self._value(points[chosen], self.epoch_by)
            better = self._value(point, self.epoch_by) > before
            chosen, since = (i, 0) if better else (chosen, since + 1)
            if since >= self.patience:
                break
        return chosen

    def _value(self, point: Point, part: str) -> float:
        value = float(point[part]["recall@20"])
        return value if self.decimals is None else round(value, self.decimals)


PROTOCOLS = (
    Protocol("ours: valid selects, train and valid masked", "valid", "valid", "masked"),
    Protocol("`--mask train`: valid selects, train masked", "valid", "valid", "unmasked"),
    Protocol("… and metrics rounded to 4 decimals", "valid", "valid", "unmasked", 4),
    Protocol("… and settings chosen on test", "valid", "unmasked", "unmasked", 4),
    Protocol("… and the epoch too", "unmasked", "unmasked", "unmasked", 4),
    Protocol("the same, nothing rounded", "unmasked", "unmasked", "unmasked"),
)


def table(curves: dict[int, list[list[Point]]]) -> list[str]:
    """A row a protocol: mean ± deviation over seeds, and the difference from the first row."""
    lines = [
        "| protocol | " + " | ".join(METRICS) + " | Recall@20 against the first row |",
        "|---|" + "---:|" * (len(METRICS) + 1),
    ]
    first: np.ndarray | None = None
    for protocol in PROTOCOLS:
        picked = [protocol.pick(of_seed)[protocol.report] for of_seed in curves.values()]
        values = {m: 100 * np.array([p[m] for p in picked]) for m in METRICS}
        first = values["recall@20"] if first is None else first
        paired = values["recall@20"] - first
        cells = [f"{v.mean():.3f} ± {v.std(ddof=1):.3f}" for v in values.values()]
        relative = 100 * paired.mean() / first.mean()
        cells.append(f"{paired.mean():+.3f} ({relative:+.1f} %)")
        lines.append(f"| {protocol.name} | " + " | ".join(cells) + " |")
    return lines


def cached(path: Path, make: Callable[[], list[Point]]) -> list[Point]:
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, make())
    points: list[Point] = read_json(path)
    return points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=80)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only-seed", type=int, help="train this one, write no table")
    parser.add_argument("--out", type=Path, default=Path("results/protocol.md"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start = time.perf_counter()
    folder = options.work / "baby"
    if not (folder / "dataset.json").is_file():
        prepare_files(None, options.source / "interactions.csv.gz", None, folder)
    dataset = Dataset.load(folder)
    grid = [dict(zip(GRID, v, strict=True)) for v in itertools.product(*GRID.values())]
    seeds = range(options.seeds) if options.only_seed is None else [options.only_seed]
    curves: dict[int, list[list[Point]]] = {}
    for seed in seeds:
        curves[seed] = []
        for settings in grid:
            name = "-".join(f"{key}={value}" for key, value in settings.items())
            path = options.work / "protocol" / f"seed-{seed}" / f"{name}-{options.epochs}.json"
            points = cached(path, lambda s=settings, n=seed: curve(dataset, s, n, options.epochs))
            curves[seed].append(points)
            best = max(p["valid"]["recall@20"] for p in points)
            print(f"seed {seed} {name}: valid {best:.4f}", flush=True)
    if options.only_seed is not None:
        return
    text = [
        "# What the published protocol does to the numbers",
        "",
        "LightGCN on Amazon-Baby's interactions, random split, percent, test, "
        f"{options.seeds} seeds (split, negatives and weights follow the seed), mean ± deviation. "
        f"All rows pick from the same trainings: {len(grid)} configurations "
        f"({json.dumps(GRID)}), {options.epochs} epochs, an evaluation every 5.",
        "",
        *table(curves),
        "",
        "Masking validation positives takes up to two known items out of a user's list, so others "
        "move up. Choosing on test looks at what is to be predicted; its gain is not a gain. "
        "Rounding to four decimals makes ties of what differs by less than 0.01 points.",
        "",
        f"Command: `python benchmarks/studies/protocol.py SHARED/amazon-baby --work DIR`. "
        f"{date.today()}, {platform.machine()}, {options.threads} threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}, "
        f"{time.perf_counter() - start:.0f} s (0 where all was there already).",
    ]
    write_text(options.out, "\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
