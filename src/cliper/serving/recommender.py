"""`Recommender`: a run directory, ready to answer; outside ids in, outside ids out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cliper.data import Vocabulary
from cliper.runs import RunDirectory
from cliper.types import IndexArray


@dataclass(frozen=True)
class Recommendation:
    """One row of an answer; `query` is the user (or item) asked about."""

    query: str
    rank: int
    item_id: str
    score: float


class Recommender:
    """Final representations and what each user has already; no dataset, no training code.

    Args:
        users, items: vocabularies of M and N ids.
        user_vectors: (M, d).
        item_vectors: (N, d).
        seen_user, seen_item: parallel index arrays of what is never recommended again.
        train_counts: training interactions per item (N,); 0 marks a cold item.
    """

    def __init__(
        self,
        users: Vocabulary,
        items: Vocabulary,
        user_vectors: Tensor,
        item_vectors: Tensor,
        seen_user: IndexArray,
        seen_item: IndexArray,
        train_counts: IndexArray,
    ) -> None:
        self.users, self.items = users, items
        self.user_vectors, self.item_vectors = user_vectors, item_vectors
        order = np.argsort(seen_user, kind="stable")
        self._seen_item = seen_item[order]
        self._seen_start = np.searchsorted(seen_user[order], np.arange(len(users) + 1))
        self.train_counts = train_counts

    @classmethod
    def load(cls, path: Path | str) -> "Recommender":
        """Read a finished run.

        Raises:
            InputError: there is no finished run there.
        """
        run = RunDirectory(Path(path))
        run.require()
        users, items, counts = run.read_vocabulary()
        vectors = run.read_tensors("embeddings.safetensors")
        return cls(users, items, vectors["users"], vectors["items"], *run.read_seen(), counts)

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
            InputError: an unknown user or item id.
        """
        rows = self.users.indices(list(users), "user")
        pool = self._pool(candidates)
        scores = self.user_vectors[torch.from_numpy(rows)] @ self.item_vectors[pool].T
        if exclude_seen:
            taken = [self.seen(int(row)) for row in rows]
            at = np.repeat(np.arange(len(rows)), [len(t) for t in taken])
            column = np.full(len(self.items), -1)
            column[pool.numpy()] = np.arange(len(pool))
            hidden = column[np.concatenate(taken)] if taken else np.empty(0, dtype=np.int64)
            keep = hidden >= 0
            scores[torch.from_numpy(at[keep]), torch.from_numpy(hidden[keep])] = -torch.inf
        return self._answer(list(users), scores, pool, k)

    def similar_items(
        self, items: Sequence[str], k: int = 10, *, candidates: Sequence[str] | None = None
    ) -> list[Recommendation]:
        """The k items whose representations have the largest cosine with each given item's."""
        rows = torch.from_numpy(self.items.indices(list(items), "item"))
        pool = self._pool(candidates)
        unit = torch.nn.functional.normalize(self.item_vectors, dim=1)
        scores = unit[rows] @ unit[pool].T
        scores[rows[:, None] == pool[None, :]] = -torch.inf
        return self._answer(list(items), scores, pool, k)

    def _pool(self, candidates: Sequence[str] | None) -> Tensor:
        if candidates is None:
            return torch.arange(len(self.items))
        return torch.from_numpy(np.unique(self.items.indices(list(candidates), "item")))

    def _answer(
        self, queries: list[str], scores: Tensor, pool: Tensor, k: int
    ) -> list[Recommendation]:
        best = torch.topk(scores, min(k, scores.shape[1]), dim=1)
        ids = self.items.ids(pool[best.indices.flatten()].numpy())
        width = best.values.shape[1]
        return [
            Recommendation(query, rank + 1, ids[row * width + rank], score)
            for row, query in enumerate(queries)
            for rank, score in enumerate(best.values[row].tolist())
            if score > -float("inf")
        ]
