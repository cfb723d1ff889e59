"""The best items of each query, exactly or among candidates."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cliper.errors import InputError
from cliper.ranking.rank import CHUNK_SIZE
from cliper.ranking.topk import top_k
from cliper.scoring import FactorScorer, Scorer
from cliper.serving.nearest import EXACT
from cliper.serving.shelf import Shelf
from cliper.types import IndexArray

FEW = 20
"""Candidates are looked for where they are fewer than one in so many items."""


class Best(NamedTuple):
    """The best items of one query, best first."""

    items: IndexArray
    scores: list[float]


def checked_k(k: object) -> int:
    """How many items somebody asked for.

    Raises:
        InputError: not a whole number of at least 1.
    """
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise InputError(f"k is {k!r}", where="k", remedy="a whole number, at least 1")
    return int(k)


def best_of_scores(
    shelf: Shelf,
    score: Callable[[slice], Tensor],
    count: int,
    hidden: Sequence[IndexArray] | None,
    k: int,
    pool: Tensor | None,
) -> list[Best]:
    """The best of each query, some at a time; ties as in evaluation, lower index first.

    Args:
        shelf: the items.
        score: scores of a slice of the queries for the pool, in memory that may be written to.
        count: of the queries.
        hidden: item indices that each query must not get.
        k: at most so many.
        pool: sorted item indices; None for all.
    """
    n = len(shelf.items) if pool is None else len(pool)
    places = _columns(shelf.removed, pool)
    gone = torch.from_numpy(places[places >= 0])
    found: list[Best] = []
    for start in range(0, count, CHUNK_SIZE):
        part = slice(start, start + CHUNK_SIZE)
        scores = score(part)
        scores[:, gone] = -torch.inf
        if hidden is not None:
            at = np.repeat(np.arange(len(scores)), [len(one) for one in hidden[part]])
            hide = _columns(np.concatenate([np.empty(0, np.int64), *hidden[part]]), pool)
            keep = hide >= 0
            scores[torch.from_numpy(at[keep]), torch.from_numpy(hide[keep])] = -torch.inf
        values, columns = top_k(scores, min(k, n))
        for row, places in zip(values, columns, strict=True):
            there = places[places >= 0]
            items = there if pool is None else pool[there]
            found.append(Best(items.numpy(), row[: len(there)].tolist()))
    return found


def best_for_users(
    shelf: Shelf,
    scorer: Scorer,
    rows: IndexArray,
    hidden: Sequence[IndexArray] | None,
    k: int,
    pool: Tensor | None,
) -> list[Best]:
    """The best items for some users of a scorer.

    Above `EXACT` items to choose among, candidates are found by the shelf's index (`nearest`) and
    ranked as all would have been.

    Args:
        shelf: the items.
        scorer: over them; that of the shelf, or of visitors.
        rows: users (B,) in it.
        hidden, k, pool: as for `best_of_scores`.
    """
    offered = len(shelf.items) if pool is None else len(pool)
    known = shelf.scorer
    if (
        shelf.nearest is None
        or offered <= EXACT
        or not isinstance(scorer, FactorScorer)
        or not isinstance(known, FactorScorer)
        or scorer.items is not known.items
    ):
        return _among(shelf, scorer, rows, hidden, k, pool)
    found: list[Best] = []
    everything = None if pool is None else pool.numpy()
    for at, row in enumerate(rows):
        own = None if hidden is None else hidden[at : at + 1]
        not_offered = shelf.removed if own is None else np.union1d(shelf.removed, own[0])
        some = pool
        if (k + len(not_offered)) * FEW < offered:
            candidates = shelf.nearest.candidates(
                scorer.users[int(row)], k, not_offered, len(shelf.items), everything
            )
            some = torch.from_numpy(candidates)
        found += _among(shelf, scorer, rows[at : at + 1], own, k, some)
    return found


def _among(
    shelf: Shelf,
    scorer: Scorer,
    rows: IndexArray,
    hidden: Sequence[IndexArray] | None,
    k: int,
    pool: Tensor | None,
) -> list[Best]:
    offered = scorer if pool is None else scorer.restrict(pool)

    def score(part: slice) -> Tensor:
        return offered(torch.from_numpy(rows[part]))

    return best_of_scores(shelf, score, len(rows), hidden, k, pool)


def _columns(items: IndexArray, pool: Tensor | None) -> IndexArray:
    """Places of items in a pool, -1 where one is not in it."""
    if pool is None:
        return items
    sorted_pool = pool.numpy()
    places = np.searchsorted(sorted_pool, items)
    inside = places < len(sorted_pool)
    inside[inside] = sorted_pool[places[inside]] == items[inside]
    return np.where(inside, places, -1)
