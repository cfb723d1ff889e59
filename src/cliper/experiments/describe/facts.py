"""What there is to know of a dataset before anything is trained on it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from cliper.data import Dataset
from cliper.experiments.describe.memory import MemoryFacts, memory_facts
from cliper.experiments.describe.pictures import PictureFacts, picture_facts
from cliper.experiments.describe.texts import TextFacts, text_facts
from cliper.types import JsonObject
from cliper.views import NoiseRule
from cliper.views.render import value_text


@dataclass(frozen=True)
class Spread:
    """A distribution in five numbers and its mean."""

    least: float
    quarter: float
    median: float
    three_quarters: float
    most: float
    mean: float

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Spread":
        """Of any numbers; zeros where there is none.

        >>> Spread.of([1, 2, 3, 10]).median
        2.5
        """
        array = np.asarray(values, dtype=np.float64)
        if not array.size:
            return cls(0, 0, 0, 0, 0, 0)
        least, quarter, median, more, most = map(float, np.quantile(array, [0, 0.25, 0.5, 0.75, 1]))
        return cls(least, quarter, median, more, most, float(array.mean()))


@dataclass(frozen=True)
class FieldFacts:
    """One metadata field: on how many items it is missing, how many values it has.

    `left_out` says why the automatic rule makes no view of it, None where it makes one.
    """

    name: str
    missing: int
    distinct: int
    left_out: str | None


@dataclass(frozen=True)
class Description:
    """A dataset at a glance.

    Attributes:
        name, users, items, interactions: as in Table 1 of the paper.
        sparsity: 1 - interactions / (users × items), a fraction.
        per_user, per_item: interactions of each.
        never_taken: items without any interaction.
        gini: of the interactions over items, 0 where all are equally popular.
        ratings: rating → count, where there are ratings.
        equal_times: interactions that share user and time with another.
        first, last: dates of the interactions, where there are times.
        fields: one entry a metadata field, in the catalogue's order.
        texts: lengths of the rendered views; empty without a catalogue.
        pictures: None without a catalogue.
        dropped: what preparing lost: section → reason → count.
        memory: what training each backbone holds, and the largest set that fits this machine.
    """

    name: str
    users: int
    items: int
    interactions: int
    sparsity: float
    per_user: Spread
    per_item: Spread
    never_taken: int
    gini: float
    ratings: dict[str, int] = field(default_factory=dict)
    equal_times: int = 0
    first: str | None = None
    last: str | None = None
    fields: tuple[FieldFacts, ...] = ()
    texts: tuple[TextFacts, ...] = ()
    pictures: PictureFacts | None = None
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    memory: tuple[MemoryFacts, ...] = ()

    def json_object(self) -> JsonObject:
        """The same as plain values."""
        return asdict(self)


def describe(dataset: Dataset, *, pictures: bool = True) -> Description:
    """Everything that can be said without a model.

    Args:
        dataset: a prepared dataset.
        pictures: look into every picture (a few milliseconds each), for near duplicates.
    """
    log = dataset.interactions
    popularity = log.item_counts()
    first, last = _dates(dataset)
    catalogue = dataset.catalogue
    return Description(
        name=dataset.name,
        users=log.n_users,
        items=log.n_items,
        interactions=len(log),
        sparsity=1 - len(log) / (log.n_users * log.n_items),
        per_user=Spread.of(log.user_counts()),
        per_item=Spread.of(popularity),
        never_taken=int((popularity == 0).sum()),
        gini=gini(popularity),
        ratings=_ratings(log.rating),
        equal_times=log.equal_times(),
        first=first,
        last=last,
        fields=_fields(dataset),
        texts=() if catalogue is None else tuple(text_facts(catalogue)),
        pictures=None if catalogue is None else picture_facts(catalogue, look=pictures),
        dropped={k: dict(v) for k, v in dataset.about.get("dropped", {}).items() if v},
        memory=tuple(memory_facts(log)),
    )


def gini(counts: npt.NDArray[np.int64]) -> float:
    """Gini coefficient of counts (n,): mean absolute difference over twice the mean.

    >>> round(gini(np.array([1, 1, 1, 1])), 6), round(gini(np.array([0, 0, 0, 4])), 6)
    (0.0, 0.75)
    """
    ordered = np.sort(counts).astype(np.float64)
    n, total = len(ordered), ordered.sum()
    if n == 0 or total == 0:
        return 0.0
    ranks = np.arange(1, n + 1)
    return float(2 * (ranks * ordered).sum() / (n * total) - (n + 1) / n)


def _ratings(rating: Any) -> dict[str, int]:
    if rating is None:
        return {}
    values, counts = np.unique(np.asarray(rating)[~np.isnan(rating)], return_counts=True)
    if len(values) > 20:  # a scale and no choice of a few
        return {}
    return {f"{value:g}": int(count) for value, count in zip(values, counts, strict=True)}


def _dates(dataset: Dataset) -> tuple[str | None, str | None]:
    """ISO dates of the first and the last time."""
    times = dataset.interactions.timestamp
    if times is None or not len(times):
        return None, None
    ends = (times.min() / dataset.times_per_second, times.max() / dataset.times_per_second)
    try:
        first, last = (datetime.fromtimestamp(float(t), UTC).date().isoformat() for t in ends)
    except (OverflowError, ValueError, OSError):
        return None, None
    return first, last


def _fields(dataset: Dataset) -> tuple[FieldFacts, ...]:
    if dataset.catalogue is None:
        return ()
    return tuple(
        _field(name, [value_text(v) for v in dataset.catalogue.values(name)])
        for name in dataset.catalogue.fields
    )


def _field(name: str, texts: Sequence[str | None]) -> FieldFacts:
    present = [text for text in texts if text is not None]
    return FieldFacts(name, len(texts) - len(present), len(set(present)), NoiseRule().reason(texts))
