"""Recall by popularity bin: test rows of items that were taken so often in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cliper.data import Dataset, Split
from cliper.experiments.run.experiment import load_config
from cliper.experiments.run.finished import Run
from cliper.experiments.run.split import experiment_split
from cliper.experiments.statistics.resample import Resampled, resample
from cliper.experiments.statistics.significance import DoubleArray
from cliper.experiments.studies.arms import COLD, KINDS, SHARE, SPLIT, on_split, share_text
from cliper.experiments.studies.figures import Point, axis_title, difference_lines
from cliper.experiments.studies.findings import span
from cliper.experiments.studies.study import Detail, Finding, Measured
from cliper.ranking import rank
from cliper.types import BoolArray, IndexArray

EDGES = (0, 1, 3, 6, 11, 21, 51, 101)
"""First count of each bin of training interactions: 0, 1-2, 3-5, 6-10, …, 101 and more."""
PAIRS = (("CLIPER", "vanilla"), ("CLIPER", "none"), ("vanilla", "none"))


@dataclass(frozen=True, eq=False)
class HitRows:
    """The test rows of a run whose item was ranked at all.

    Attributes:
        users, items: indices (n,).
        hits: bool (n,), the item is among the user's first K.
        taken: training interactions of each row's item, (n,).
    """

    users: IndexArray
    items: IndexArray
    hits: BoolArray
    taken: IndexArray


def hit_rows(dataset: Dataset, run: Run, k: int) -> HitRows:
    """Rank again with the run's saved scorer, under its own protocol, and look at every row.

    Args:
        dataset: the run's.
        run: finished.
        k: length of the ranking.
    """
    config = load_config(run.directory)
    split = experiment_split(dataset, config)
    evaluation = config.evaluation
    candidates = split.test_candidates if evaluation.candidates == "split" else None
    users, items = _ranked_rows(split, candidates)
    asked = np.unique(users)
    exclude = [split.taken, *([split.valid] if evaluation.mask == "train+valid" else [])]
    ranking = rank(
        run.directory.read_scorer(),
        asked,
        k,
        exclude=exclude,
        candidates=candidates,
        chunk_size=evaluation.chunk_size,
    )
    listed = ranking.items[np.searchsorted(asked, users)]
    return HitRows(
        users, items, (listed == items[:, None]).any(axis=1), split.train.item_counts()[items]
    )


def _ranked_rows(split: Split, candidates: IndexArray | None) -> tuple[IndexArray, IndexArray]:
    users, items = split.test.user_index, split.test.item_index
    if candidates is None:
        return users, items
    inside = np.isin(items, candidates)
    return users[inside], items[inside]


def recall_over(rows: HitRows, inside: BoolArray) -> tuple[IndexArray, DoubleArray]:
    """Recall@K of each user over the rows in `inside` (n,).

    Returns:
        Users (U,) with such a row, and the share of their rows that were found (U,).
    """
    users, place = np.unique(rows.users[inside], return_inverse=True)
    found = np.bincount(place, weights=rows.hits[inside], minlength=len(users))
    return users, found / np.maximum(np.bincount(place, minlength=len(users)), 1)


def resampled(
    rows: Mapping[str, Sequence[HitRows]], inside: Sequence[BoolArray], fewest: int = 1
) -> tuple[float, Resampled] | None:
    """Recall@K of several arms over some of their test rows.

    Args:
        rows: arm → those of each seed; a seed's are the same of all arms.
        inside: which of them, by seed.
        fewest: a seed with fewer rows inside is left out.

    Returns:
        Rows inside, mean over all seeds, and the samples; None where no seed has enough.
    """
    counts = [int(mask.sum()) for mask in inside]
    used = [s for s, count in enumerate(counts) if count >= fewest]
    if not used:
        return None
    per_user = {
        arm: [recall_over(of_arm[s], inside[s]) for s in used] for arm, of_arm in rows.items()
    }
    return float(np.mean(counts)), resample(per_user)


def bins() -> list[tuple[str, int, float]]:
    """(label, first, one past the last) of each bin.

    >>> bins()[:2], bins()[-1]
    ([('0', 0, 1), ('1-2', 1, 3)], ('101+', 101, inf))
    """
    ends: list[float] = [*EDGES[1:], float("inf")]
    result = []
    for low, high in zip(EDGES, ends, strict=True):
        if high == float("inf"):
            label = f"{low}+"
        else:
            label = str(low) if high == low + 1 else f"{low}-{int(high) - 1}"
        result.append((label, low, high))
    return result


@dataclass(frozen=True, eq=False)
class PopularityBin:
    """Test rows of items that were taken so often in training.

    Attributes:
        label: the number of training interactions.
        among: what was ranked: `cold items` or `all items`.
        rows: test rows, mean over seeds.
        samples: Recall@K within the bin per kind of features; only seeds that have such rows.
    """

    label: str
    among: str
    rows: float
    samples: Resampled


@lru_cache(maxsize=1)
def by_count(measured: Measured) -> list[PopularityBin]:
    """Recall within bins of training interactions: cold items first, then all items."""
    k = cutoff(measured)
    result = []
    for where, among in (("cold items", "cold items"), (share_text(1.0), "all items")):
        rows = {
            kind: [
                hit_rows(measured.setting.dataset, run, k)
                for run in measured.outcomes[on_split(kind, where)].runs
            ]
            for kind in KINDS
        }
        for label, low, high in bins():
            inside = [(r.taken >= low) & (r.taken < high) for r in rows[KINDS[0]]]
            found = resampled(rows, inside)
            if found is not None:
                result.append(PopularityBin(label, among, *found))
    return result


def bin_table(measured: Measured) -> Detail:
    """One row a bin: recall by kind of features, and CLIPER's gains."""
    found, k = by_count(measured), cutoff(measured)
    rows, records = [], []
    for part in found:
        means = [part.samples.mean(kind) for kind in KINDS]
        gains = [part.samples.difference(a, b) for a, b in PAIRS[:2]]
        bases = means[1], means[0]
        lifts = [f"{100 * (means[2] / base - 1):+.0f} %" if base else "-" for base in bases]
        rows.append(
            (part.label, part.among, f"{part.rows:,.0f}", *(f"{100 * m:.2f}" for m in means),
             *(text for gain, lift in zip(gains, lifts, strict=True)
               for text in (interval_text(gain), lift)))
        )  # fmt: skip
        records.append(
            {"training interactions": part.label, "among": part.among, "test rows": part.rows,
             **dict(zip(KINDS, means, strict=True)),
             **{f"{a} - {b} {what}": value
                for (a, b), gain in zip(PAIRS[:2], gains, strict=True)
                for what, value in zip(("difference", "low", "high"), gain, strict=True)}}
        )  # fmt: skip
    columns = (
        "training interactions", "ranked among", "test rows", *KINDS,
        "CLIPER - vanilla", "lift", "CLIPER - none", "lift",
    )  # fmt: skip
    caption = (
        f"Recall@{k} in percent over the test rows whose item has so many training interactions "
        "(each user's rows in the bin, then the mean over users); differences in points with their "
        "95 % interval; test rows are the mean over seeds"
    )
    return Detail("items", columns, tuple(rows), tuple(records), caption)


def interval_text(gain: tuple[float, float, float]) -> str:
    """A difference in points with its interval, short enough for a cell.

    >>> interval_text((0.01, -0.002, 0.03))
    '+1.00 (-0.20 to +3.00)'
    """
    value, low, high = (100 * x for x in gain)
    return f"{value:+.2f} ({low:+.2f} to {high:+.2f})"


def cutoff(measured: Measured) -> int:
    """K of the study's metric."""
    return int(measured.metric.split("@")[1])


def gain_by_bin(measured: Measured) -> str:
    """Gains by training interactions of the item."""
    series = {
        f"{a} - {b}": [
            Point(
                f"{part.label}{'*' if part.among == 'cold items' else ''}",
                *part.samples.difference(a, b),
            )
            for part in by_count(measured)
        ]
        for a, b in PAIRS
    }
    return difference_lines(
        series,
        "Gain by how often the item was taken",
        "training interactions of the item (*: ranked among cold items)",
        f"Recall@{cutoff(measured)}, points",
        joined=False,  # cold items are ranked among others than the rest
    )


def gain_by_share(measured: Measured) -> str:
    """Gains by share of the training rows."""
    series = {
        f"{a} - {b}": [
            Point(label, *measured.samples.difference(on_split(a, label), on_split(b, label)))
            for label in map(share_text, shares_of(measured))
        ]
        for a, b in PAIRS
    }
    return difference_lines(
        series, "Gain by share of the training rows", "share of each user's rows",
        axis_title(measured),
    )  # fmt: skip


def gain_findings(measured: Measured) -> list[Finding]:
    """Up to how many interactions, and down to which share, each gain can be told from 0."""
    result = []
    for a, b in PAIRS:
        by_item = [(f"{x.label} ({x.among})", x.samples, a, b) for x in by_count(measured)]
        result.append(_where(f"{a} over {b}, by training interactions of the item", by_item))
    for a, b in PAIRS:
        by_share = [
            (label, measured.samples, on_split(a, label), on_split(b, label))
            for label in map(share_text, shares_of(measured))
        ]
        result.append(_where(f"{a} over {b}, by share of the training rows", by_share))
    return result


def training_rows(measured: Measured) -> dict[str, dict[str, float]]:
    """Training rows of every arm, mean over seeds."""
    return {
        label: {"training rows": float(np.mean([r.results.dataset.train for r in o.runs]))}
        for label, o in measured.outcomes.items()
    }


def _where(what: str, pairs: Sequence[tuple[str, Resampled, str, str]]) -> Finding:
    """Where one kind of features gains over another, of (label, samples, arm, other arm)."""
    groups: dict[str, list[str]] = {"gains": [], "loses": [], "users alone": [], "undecided": []}
    words: dict[str, str] = {}
    for label, samples, arm, other in pairs:
        gain, shown = samples.difference(arm, other), samples.evidence(arm, other)
        sign = "gains" if gain[0] > 0 else "loses"
        key = {"sure": sign, "users alone": "users alone", "none": "undecided"}[shown]
        groups[key].append(label)
        words[label] = f"{label} {span(*gain)}"
    parts = [
        f"{said} at {', '.join(words[label] for label in groups[key])}"
        for key, said in (
            ("gains", "gains"),
            ("loses", "loses"),
            ("users alone", "differs over users alone, which the seeds do not show,"),
        )
        if groups[key]
    ]
    if groups["undecided"]:
        parts.append(f"cannot be told from 0 at {', '.join(groups['undecided'])}")
    return Finding(f"{what}: {'; '.join(parts)}.", None, groups)


def shares_of(measured: Measured) -> list[float]:
    """The shares that were run on the warm split."""
    return sorted(
        {
            float(arm.settings.get(SHARE, 1.0))
            for arm in measured.plan.arms
            if arm.settings[SPLIT] != COLD
        }
    )
