"""Which held-out rows a run found, row by row: what a mean over users hides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cliper.data import Dataset, Split
from cliper.experiments.experiment import load_config
from cliper.experiments.run import Run
from cliper.experiments.significance import DoubleArray
from cliper.experiments.split import experiment_split
from cliper.ranking import rank
from cliper.types import BoolArray, IndexArray

EDGES = (0, 1, 3, 6, 11, 21, 51, 101)
"""First count of each bin of training interactions: 0, 1-2, 3-5, 6-10, …, 101 and more."""


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


def recall_in_bin(rows: HitRows, low: int, high: float) -> tuple[IndexArray, DoubleArray]:
    """Recall@K of each user over the rows whose item has low ≤ n < high training interactions.

    Returns:
        Users (U,) with such a row, and the share of their rows that were found (U,).
    """
    return recall_over(rows, (rows.taken >= low) & (rows.taken < high))


def recall_over(rows: HitRows, inside: BoolArray) -> tuple[IndexArray, DoubleArray]:
    """Recall@K of each user over the rows in `inside` (n,).

    Returns:
        Users (U,) with such a row, and the share of their rows that were found (U,).
    """
    users, place = np.unique(rows.users[inside], return_inverse=True)
    found = np.bincount(place, weights=rows.hits[inside], minlength=len(users))
    return users, found / np.maximum(np.bincount(place, minlength=len(users)), 1)


def bins(edges: Sequence[int] = EDGES) -> list[tuple[str, int, float]]:
    """(label, first, one past the last) of each bin.

    >>> bins((0, 1, 3))
    [('0', 0, 1), ('1-2', 1, 3), ('3+', 3, inf)]
    """
    ends: list[float] = [*edges[1:], float("inf")]
    result = []
    for low, high in zip(edges, ends, strict=True):
        if high == float("inf"):
            label = f"{low}+"
        else:
            label = str(low) if high == low + 1 else f"{low}-{int(high) - 1}"
        result.append((label, low, high))
    return result
