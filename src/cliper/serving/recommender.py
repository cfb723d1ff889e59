"""`Recommender`: a run directory, ready to answer; outside ids in, outside ids out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cliper.data import Vocabulary
from cliper.errors import InputError
from cliper.ranking.rank import CHUNK_SIZE
from cliper.ranking.topk import top_k
from cliper.runs import RunDirectory
from cliper.scoring import Scorer
from cliper.types import IndexArray


@dataclass(frozen=True)
class Recommendation:
    """One row of an answer; `query` is the user (or item) asked about."""

    query: str
    rank: int
    item_id: str
    score: float


class Recommender:
    """A final scorer and what each user has already; no dataset, no training code.

    Args:
        users, items: vocabularies of M and N ids.
        scorer: scores of M users and N items.
        seen_user, seen_item: parallel index arrays of what is never recommended again.
        train_counts: training interactions per item (N,); 0 marks a cold item.
    """

    def __init__(
        self,
        users: Vocabulary,
        items: Vocabulary,
        scorer: Scorer,
        seen_user: IndexArray,
        seen_item: IndexArray,
        train_counts: IndexArray,
    ) -> None:
        self.users, self.items = users, items
        self.scorer = scorer
        order = np.argsort(seen_user, kind="stable")
        self._seen_item = seen_item[order]
        self._seen_start = np.searchsorted(seen_user[order], np.arange(len(users) + 1))
        self.train_counts = train_counts

    @classmethod
    def load(cls, path: Path | str) -> "Recommender":
        """Read a finished run; a model that goes on from a history has read all that is hidden.

        Raises:
            InputError: there is no finished run there.
        """
        run = RunDirectory(Path(path))
        run.require()
        users, items, counts = run.read_vocabulary()
        return cls(users, items, run.read_latest_scorer(), *run.read_seen(), counts)

    def seen(self, user: int) -> IndexArray:
        """Item indices that a user has already."""
        return self._seen_item[self._seen_start[user] : self._seen_start[user + 1]]

    def recommend(
        self,
        users: Sequence[str],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
    ) -> list[Recommendation]:
        """The k best items for each user, best first; fewer where fewer are left.

        Args:
            users: user ids.
            k: how many, at least 1.
            exclude_seen: leave out what the user has already.
            candidates: item ids to choose among; all items when None.

        Raises:
            InputError: an unknown user or item id, or k below 1.
        """
        rows = self.users.indices(list(users), "user")
        pool = self._pool(candidates)
        column = np.full(len(self.items), -1)
        column[pool.numpy()] = np.arange(len(pool))
        offered = self.scorer.restrict(pool)

        def score(part: IndexArray) -> Tensor:
            scores = offered(torch.from_numpy(part))
            if exclude_seen:
                taken = [self.seen(int(row)) for row in part]
                at = np.repeat(np.arange(len(part)), [len(t) for t in taken])
                hidden = column[np.concatenate(taken)]
                keep = hidden >= 0
                scores[torch.from_numpy(at[keep]), torch.from_numpy(hidden[keep])] = -torch.inf
            return scores

        return self._answer(list(users), rows, score, pool, k)

    def similar_items(
        self, items: Sequence[str], k: int = 10, *, candidates: Sequence[str] | None = None
    ) -> list[Recommendation]:
        """The k items whose representations have the largest cosine with each given item's."""
        rows = self.items.indices(list(items), "item")
        pool = self._pool(candidates)

        def score(part: IndexArray) -> Tensor:
            own = torch.from_numpy(part)
            scores = self.scorer.similarities(own)[:, pool]
            return scores.masked_fill_(own[:, None] == pool[None, :], -torch.inf)

        return self._answer(list(items), rows, score, pool, k)

    def _pool(self, candidates: Sequence[str] | None) -> Tensor:
        if candidates is None:
            return torch.arange(len(self.items))
        return torch.from_numpy(np.unique(self.items.indices(list(candidates), "item")))

    def _answer(
        self,
        queries: list[str],
        rows: IndexArray,
        score: Callable[[IndexArray], Tensor],
        pool: Tensor,
        k: int,
    ) -> list[Recommendation]:
        """The best of each row, some rows at a time; ties as in evaluation, lower index first."""
        if k < 1:
            raise InputError(f"k is {k}", where="k", remedy="at least 1")
        found: list[Recommendation] = []
        for start in range(0, len(rows), CHUNK_SIZE):
            part = slice(start, start + CHUNK_SIZE)
            values, columns = top_k(score(rows[part]), min(k, len(pool)))
            best = pool[columns.clamp(min=0)]
            for query, items, scores in zip(queries[part], best, values.tolist(), strict=True):
                found += [
                    Recommendation(query, place, name, value)
                    for place, (name, value) in enumerate(
                        zip(self.items.ids(items.numpy()), scores, strict=True), 1
                    )
                    if value > -float("inf")
                ]
        return found
