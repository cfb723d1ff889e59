"""Where CLIPER helps and where it hurts: the same test rows, cut by what their items are like."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cliper.data import Dataset
from cliper.experiments.comparisons.comparison import Outcome
from cliper.experiments.statistics.significance import SeedTest, evidence
from cliper.experiments.studies.popularity import HitRows, bins, hit_rows, resampled
from cliper.types import BoolArray

MOST_CATEGORIES, FEWEST_ROWS = 8, 50
_CATEGORIES = ("categories", "category", "genres", "genre")


@dataclass(frozen=True)
class Group:
    """Test rows of items that have something in common.

    Attributes:
        kind: `training interactions`, `category` or `what is known`.
        label: e.g. `11-20`, `Drama`, `no picture`.
        rows: test rows, mean over seeds.
        before, after: Recall@K over those rows (mean over users, then seeds), fractions.
        low, high: 95 % bootstrap interval of after - before.
        over_seeds: the paired test over seeds.
    """

    kind: str
    label: str
    rows: float
    before: float
    after: float
    low: float
    high: float
    over_seeds: SeedTest

    @property
    def difference(self) -> float:
        """after - before."""
        return self.after - self.before

    @property
    def verdict(self) -> str:
        """`helps` or `hurts` where the interval and the seeds show it, else empty."""
        shown = evidence(self.low > 0 or self.high < 0, self.over_seeds)
        if shown != "sure":
            return ""
        return "helps" if self.difference > 0 else "hurts"

    @property
    def users_alone(self) -> bool:
        """The interval excludes 0, and the test over seeds shows nothing."""
        return evidence(self.low > 0 or self.high < 0, self.over_seeds) == "users alone"


def breakdown(dataset: Dataset, before: Outcome, after: Outcome, k: int = 20) -> list[Group]:
    """Compare two outcomes group by group; groups of fewer than 50 test rows a seed are left out.

    Args:
        dataset: of both.
        before: e.g. vanilla; the same seeds as `after`.
        after: e.g. CLIPER.
        k: length of the ranking.
    """
    rows = {
        "before": [hit_rows(dataset, run, k) for run in before.runs],
        "after": [hit_rows(dataset, run, k) for run in after.runs],
    }
    taken = [r.taken for r in rows["before"]]
    groups = [
        _group("training interactions", label, rows, [(t >= low) & (t < high) for t in taken])
        for label, low, high in bins()
    ]
    for kind, label, members in _item_groups(dataset):
        groups.append(_group(kind, label, rows, [members[r.items] for r in rows["before"]]))
    return [group for group in groups if group is not None]


def _item_groups(dataset: Dataset) -> list[tuple[str, str, BoolArray]]:
    """(kind, label, items (N,)): the commonest categories, and what is known of an item."""
    catalogue = dataset.catalogue
    if catalogue is None:
        return []
    groups = []
    for field in _CATEGORIES:
        if field in catalogue.fields:
            values = [_as_list(value) for value in catalogue.values(field)]
            common = Counter(name for names in values for name in set(names))
            for name, _ in common.most_common(MOST_CATEGORIES):
                groups.append(("category", name, np.array([name in names for names in values])))
            break
    pictured = np.array([name is not None for name in catalogue.images])
    known: dict[str, BoolArray] = {"picture": pictured}
    for field in catalogue.fields:
        known[field] = np.array([bool(_as_list(v)) for v in catalogue.values(field)])
    for name, present in known.items():
        if not present.all():
            groups.append(("what is known", f"no {name}", ~present))
    complete = np.all(list(known.values()), axis=0)
    if not complete.all():
        groups.append(("what is known", "everything", complete))
    return groups


def _as_list(value: str | list[str] | None) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return [text for text in values if text and text.strip()]


def _group(
    kind: str, label: str, rows: Mapping[str, Sequence[HitRows]], inside: Sequence[BoolArray]
) -> Group | None:
    found = resampled(rows, inside, FEWEST_ROWS)
    if found is None:
        return None
    count, samples = found
    means = samples.mean("before"), samples.mean("after")
    _, low, high = samples.difference("after", "before")
    return Group(kind, label, count, *means, low, high, samples.over_seeds("after", "before"))
