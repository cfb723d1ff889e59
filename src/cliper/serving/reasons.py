"""Shares of a score: which items of the history it rests on."""

import numpy as np

from cliper.data import Vocabulary
from cliper.errors import InputError
from cliper.scoring import FoldIn
from cliper.serving.answer import HistoryShare, Method, Reasons
from cliper.types import FloatArray, IndexArray

TINY = 1e-6
"""A sum this much smaller than its terms is rounding; shares of it would mean nothing."""


def shares(parts: FloatArray) -> FloatArray:
    """Parts (n,) of a score over their sum, so that they sum to 1; empty where all are zero.

    Where the sum is not positive there is nothing to have a share of: then it is over sizes.

    >>> shares(np.array([3.0, -1.0])).tolist(), shares(np.array([-3.0, 1.0])).tolist()
    ([1.5, -0.5], [0.75, 0.25])
    """
    sizes = np.abs(parts)
    if not sizes.sum() > 0:
        return parts[:0]
    total = parts.sum()
    found: FloatArray = (
        parts / total if total > TINY * sizes.sum() else np.divide(sizes, sizes.sum())
    )
    return found


def history_reasons(
    fold_in: FoldIn | None, ids: Vocabulary, history: IndexArray, items: IndexArray
) -> list[Reasons]:
    """Why each of some items (t,) is recommended to somebody with this history.

    Raises:
        InputError: the model cannot say what a score rests on.
    """
    if fold_in is None:
        raise InputError(
            "this model cannot say which items of a history a score rests on",
            where="explain",
            remedy="docs/serving.md lists which can",
        )
    if not len(history) or not len(items):
        return [Reasons(())] * len(items)
    names = ids.ids(history)
    method: Method = "sum" if fold_in.is_sum else "leave-one-out"
    reasons = []
    for row in fold_in.parts(history, items).double().numpy():
        pairs = zip(names, shares(row).tolist(), strict=False)
        ordered = sorted(pairs, key=lambda pair: -pair[1])
        found = tuple(HistoryShare(name, share) for name, share in ordered)
        reasons.append(Reasons(found, method=method))
    return reasons
