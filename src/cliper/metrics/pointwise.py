"""Ranking metrics of each user, as pure functions of a hit matrix.

Common arguments: `hits`, bool (U, K), is True where the item at that rank is relevant, best rank
first; `n_relevant`, int (U,), counts each user's relevant items, in the list or not; `k` cuts the
list, and may exceed K when there were fewer candidates. All return float64 (U,), 0 for a user
without relevant items (leave those out of a mean with `mean_over_users`).
"""

import numpy as np
import numpy.typing as npt

from cliper.types import BoolArray, IndexArray

DoubleArray = npt.NDArray[np.float64]


def recall(hits: BoolArray, n_relevant: IndexArray, k: int) -> DoubleArray:
    """Recall@K = hits in the first K / |relevant|.

    >>> recall(np.array([[True, False, True]]), np.array([4]), 3).tolist()
    [0.5]
    """
    return _share(hits[:, :k].sum(1), n_relevant)


def precision(hits: BoolArray, n_relevant: IndexArray, k: int) -> DoubleArray:
    """Precision@K = hits in the first K / K, also when the list is shorter than K."""
    return _share(hits[:, :k].sum(1), np.full(len(hits), k))


def hit_rate(hits: BoolArray, n_relevant: IndexArray, k: int) -> DoubleArray:
    """1 where at least one of the first K is relevant."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def reciprocal_rank(hits: BoolArray, n_relevant: IndexArray, k: int) -> DoubleArray:
    """1 / rank of the first hit within K, 0 without one; its mean is MRR@K."""
    cut = hits[:, :k]
    if cut.shape[1] == 0:
        return np.zeros(len(hits))
    first = np.asarray(cut.argmax(axis=1), dtype=np.float64) + 1.0
    return np.asarray(cut.any(axis=1) / first, dtype=np.float64)


def average_precision(hits: BoolArray, n_relevant: IndexArray, k: int) -> DoubleArray:
    """Sum of the precisions at each hit within K / |relevant|; its mean is MAP@K."""
    cut = hits[:, :k]
    at_rank = cut.cumsum(1) / np.arange(1, cut.shape[1] + 1)
    return _share((at_rank * cut).sum(1), n_relevant)


def ndcg(hits: BoolArray, n_relevant: IndexArray, k: int) -> DoubleArray:
    """NDCG@K with binary gain and discount 1 / log2(rank + 1).

    The ideal list has min(|relevant|, K) hits at its head.

    >>> ndcg(np.array([[False, True]]), np.array([1]), 2).round(4).tolist()
    [0.6309]
    """
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    cut = hits[:, :k]
    gained = cut @ discounts[: cut.shape[1]]
    ideal = np.concatenate([[0.0], discounts.cumsum()])
    return _share(gained, ideal[np.minimum(n_relevant, k)])


def _share(part: IndexArray | DoubleArray, whole: IndexArray | DoubleArray) -> DoubleArray:
    result = np.zeros(len(part), dtype=np.float64)
    np.divide(part, whole, out=result, where=whole > 0)
    return result
