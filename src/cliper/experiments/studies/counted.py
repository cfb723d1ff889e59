"""What is found of items by how often they were taken in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cliper.experiments.resample import Resampled, resample
from cliper.experiments.studies.attribution import HitRows, bins, hit_rows, recall_in_bin
from cliper.experiments.studies.base import Detail, Measured

KINDS = ("none", "vanilla", "CLIPER")
PAIRS = (("CLIPER", "vanilla"), ("CLIPER", "none"), ("vanilla", "none"))


@dataclass(frozen=True, eq=False)
class Bin:
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
def by_count(measured: Measured) -> list[Bin]:
    """Recall within bins of training interactions: cold items first, then all items."""
    k = cutoff(measured)
    result = []
    for where, among in (("cold items", "cold items"), (share_text(1.0), "all items")):
        rows = {
            kind: [
                hit_rows(measured.setting.dataset, run, k)
                for run in measured.outcomes[arm_label(kind, where)].runs
            ]
            for kind in KINDS
        }
        for label, low, high in bins():
            made = _bin(label, among, rows, low, high)
            if made is not None:
                result.append(made)
    return result


def _bin(
    label: str, among: str, rows: Mapping[str, Sequence[HitRows]], low: int, high: float
) -> Bin | None:
    some = next(iter(rows.values()))
    counts = [int(((r.taken >= low) & (r.taken < high)).sum()) for r in some]
    with_rows = [s for s, count in enumerate(counts) if count]
    if not with_rows:
        return None
    per_user = {
        kind: [recall_in_bin(of_kind[s], low, high) for s in with_rows]
        for kind, of_kind in rows.items()
    }
    return Bin(label, among, float(np.mean(counts)), resample(per_user))


def count_table(found: Sequence[Bin], k: int) -> Detail:
    """One row a bin: recall by kind of features, and CLIPER's gains."""
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


def share_text(share: float) -> str:
    """A share as a label.

    >>> share_text(0.05), share_text(1.0)
    ('5 %', '100 %')
    """
    return f"{100 * share:g} %"


def arm_label(kind: str, where: str) -> str:
    """E.g. `CLIPER, 5 %`."""
    return f"{kind}, {where}"
