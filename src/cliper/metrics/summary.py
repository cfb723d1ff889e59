"""Many metrics at many cut-offs, per user and as means."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cliper.config import nearest
from cliper.errors import InputError
from cliper.metrics import pointwise
from cliper.metrics.pointwise import DoubleArray
from cliper.types import BoolArray, IndexArray

Metric = Callable[[BoolArray, IndexArray, int], DoubleArray]

METRICS: Mapping[str, Metric] = {
    "recall": pointwise.recall,
    "ndcg": pointwise.ndcg,
    "precision": pointwise.precision,
    "hit_rate": pointwise.hit_rate,
    "mrr": pointwise.reciprocal_rank,
    "map": pointwise.average_precision,
}


def per_user(
    hits: BoolArray,
    n_relevant: IndexArray,
    ks: Sequence[int],
    names: Sequence[str] = ("recall", "ndcg"),
) -> dict[str, DoubleArray]:
    """Each metric at each K, keyed `recall@20`: float64 (U,), unrounded fractions.

    Args:
        hits: bool (U, K) by rank.
        n_relevant: (U,).
        ks: cut-offs.
        names: of `METRICS`.

    Raises:
        InputError: an unknown metric or a cut-off below 1.
    """
    for name in names:
        if name not in METRICS:
            raise InputError(f"no metric {name!r}", remedy=nearest(name, list(METRICS)))
    if not ks or min(ks) < 1:
        raise InputError(f"cut-offs {list(ks)}", where="evaluation.k", remedy="1 or more each")
    return {f"{name}@{k}": METRICS[name](hits, n_relevant, k) for name in names for k in ks}


def mean_over_users(values: DoubleArray, n_relevant: IndexArray) -> float:
    """Mean over the users that have at least one relevant item; both (U,).

    Raises:
        InputError: there is no such user, so there is no mean.

    >>> mean_over_users(np.array([1.0, 0.5, 0.0]), np.array([1, 2, 0]))
    0.75
    """
    counted = n_relevant > 0
    if not counted.any():
        raise InputError("no user has a relevant item to be found")
    return float(values[counted].mean())


def saturated(metrics: Mapping[str, float]) -> str:
    """A remark on recalls that cannot tell models apart; "" where there are none.

    >>> saturated({"recall@20": 0.8, "recall@50": 1.0})
    'Recall@50 is 100 %: with so few candidates it says nothing, compare by a smaller K'
    >>> saturated({"recall@20": 0.8})
    ''
    """
    full = [key for key, value in metrics.items() if key.startswith("recall@") and value >= 1.0]
    if not full:
        return ""
    names = " and ".join(key.capitalize() for key in full)
    verb, it = ("is", "it says") if len(full) == 1 else ("are", "they say")
    return f"{names} {verb} 100 %: with so few candidates {it} nothing, compare by a smaller K"


def coverage(items: IndexArray, n_items: int) -> float:
    """Share of the N items that are in anyone's list; `items` (U, K), -1 for an empty place.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    if n_items == 0:
        return 0.0
    return len(np.unique(items[items >= 0])) / n_items
