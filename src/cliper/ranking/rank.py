"""Full ranking: every candidate scored for every user, in chunks of users."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cliper.data.interactions import Interactions
from cliper.errors import InputError, MismatchError
from cliper.progress import task
from cliper.ranking.pairs import PairsByUser
from cliper.ranking.topk import top_k
from cliper.scoring import FactorScorer, ScoreFunction, Scorer
from cliper.types import FloatArray, IndexArray

CHUNK_SIZE = 256
"""Users at a time: a chunk's scores then stay in cache between GEMM, mask and top-k."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The k best items of U users.

    Attributes:
        users: int64 (U,), the users' indices.
        items: int64 (U, k), item indices, best first; -1 where fewer than k were left.
        scores: float32 (U, k), -inf in those places.
    """

    users: IndexArray
    items: IndexArray
    scores: FloatArray


@torch.inference_mode()
def rank(
    scorer: FactorScorer | ScoreFunction,
    users: IndexArray | Sequence[int],
    k: int,
    *,
    exclude: Sequence[Interactions] = (),
    candidates: IndexArray | Sequence[int] | None = None,
    chunk_size: int = CHUNK_SIZE,
) -> Ranking:
    """The k best items of each user, of equal scores the lower item index first.

    Args:
        scorer: a `Scorer`, or a function from user indices (B,) to scores (B, N). A `Scorer` is
            restricted to the candidates before it scores.
        users: user indices (U,).
        k: how many.
        exclude: pairs that are never returned (training positives).
        candidates: distinct item indices to rank among; None for all.
        chunk_size: users at a time; changes speed and memory, not the result.

    Raises:
        InputError: k or chunk size below 1, or candidates that repeat or are out of range.
        MismatchError: `exclude` speaks of other users or items than the scorer.
        CliperError: a score is NaN.
    """
    if k < 1 or chunk_size < 1:
        raise InputError(f"k {k}, chunk size {chunk_size}", remedy="both must be at least 1")
    queries = np.asarray(users, dtype=np.int64)
    columns = None if candidates is None else np.unique(np.asarray(candidates, dtype=np.int64))
    if columns is not None and candidates is not None and len(columns) != len(candidates):
        raise InputError("a candidate is named twice")
    masked = PairsByUser(exclude, columns, queries) if exclude else None
    chunks = _Scores(scorer, columns, chunk_size, exclude[0] if exclude else None)
    items = np.full((len(queries), k), -1, dtype=np.int64)
    scores = np.full((len(queries), k), -math.inf, dtype=np.float32)
    with task("ranking", total=len(queries)) as progress:
        for start in range(0, len(queries), chunk_size):
            part = slice(start, start + chunk_size)
            some = queries[part]
            block = chunks(torch.from_numpy(some))
            if masked is not None:
                _hide(block, masked.flat(some, block.stride(0)))
            values, found = top_k(block, k)
            scores[part], items[part] = values.cpu().numpy(), found.cpu().numpy()
            progress.advance(len(some))
    if columns is not None and len(columns):
        items = np.where(items >= 0, columns[items], -1)
    return Ranking(queries, items, scores)


def _hide(block: Tensor, places: Tensor) -> None:
    """-inf in a block's memory at `places`, counted from its first number."""
    if len(places):
        length = (len(block) - 1) * block.stride(0) + block.shape[1]
        flat = block.as_strided((length,), (1,))
        flat.index_fill_(0, places.to(block.device), -math.inf)


class _Scores:
    """Scores (B, n) of a chunk over the columns, in memory that may be written to."""

    def __init__(
        self,
        scorer: FactorScorer | ScoreFunction,
        columns: IndexArray | None,
        chunk_size: int,
        shape: Interactions | None,
    ) -> None:
        self.scorer, self.shape = scorer, shape
        self.columns = None if columns is None else torch.from_numpy(columns)
        self.buffer: Tensor | None = None
        if isinstance(scorer, Scorer):
            n_users, n_items = scorer.shape
            self._check(n_items, n_users)
            if self.columns is not None:
                scorer = scorer.restrict(self.columns)
            self.scorer = scorer
        if isinstance(scorer, FactorScorer):
            numbers = scorer.columns.numbers(min(chunk_size, len(scorer.users)))
            self.buffer = scorer.items.new_empty(numbers)

    def __call__(self, users: Tensor) -> Tensor:
        if isinstance(self.scorer, FactorScorer):
            numbers = self.scorer.columns.numbers(len(users))
            if self.buffer is None or numbers > len(self.buffer):
                self.buffer = self.scorer.items.new_empty(numbers)
            return self.scorer(users.to(self.scorer.users.device), self.buffer)
        scores = self.scorer(users)
        if isinstance(self.scorer, Scorer):
            # fresh memory, and the candidates alone
            apart = scores.stride(1) == 1 and scores.stride(0) >= scores.shape[1]
            return scores if apart else scores.contiguous()
        self._check(scores.shape[1])
        if self.columns is not None:
            return scores[:, self.columns.to(scores.device)]
        # the caller's own memory is not written to
        return scores.clone(memory_format=torch.contiguous_format)

    def _check(self, n_items: int, n_users: int | None = None) -> None:
        shape = self.shape
        if shape and (n_items != shape.n_items or n_users not in (None, shape.n_users)):
            raise MismatchError("the scorer and the interactions differ in users or items")
        if self.columns is not None and len(self.columns):
            low, high = int(self.columns[0]), int(self.columns[-1])
            if low < 0 or high >= n_items:
                raise InputError(f"a candidate is not one of the {n_items} items")
