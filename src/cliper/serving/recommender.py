"""`Recommender`: a run directory, ready to answer; outside ids in, outside ids out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cliper.data import Vocabulary
from cliper.errors import InputError
from cliper.ranking.rank import CHUNK_SIZE
from cliper.ranking.topk import top_k
from cliper.runs import RunDirectory
from cliper.scoring import FoldIn, Scorer
from cliper.serving.answer import Recommendation
from cliper.serving.restore import restore_fold_in
from cliper.serving.shelf import Shelf
from cliper.serving.where import Fields
from cliper.types import IndexArray


class Recommender:
    """A final scorer, what each user has already, and what is known of the items; no training.

    All that can change lies in one immutable `Shelf`, which a method reads once: answers may be
    asked for from several threads while another adds items.

    Args:
        users, items: vocabularies of M and N ids.
        scorer: scores of M users and N items.
        seen_user, seen_item: parallel index arrays of what is never recommended again.
        train_counts: training interactions per item (N,); 0 marks a cold item.
        fields: the items' fields, for `where`; None where they are not known.
        fold_in: how a history becomes a user; None where the model cannot.
    """

    def __init__(
        self,
        users: Vocabulary,
        items: Vocabulary,
        scorer: Scorer,
        seen_user: IndexArray,
        seen_item: IndexArray,
        train_counts: IndexArray,
        fields: Fields | None = None,
        fold_in: FoldIn | None = None,
    ) -> None:
        self.users = users
        order = np.argsort(seen_user, kind="stable")
        self._seen_item = seen_item[order]
        self._seen_start = np.searchsorted(seen_user[order], np.arange(len(users) + 1))
        self._shelf = Shelf(items, scorer, train_counts, fields, fold_in)

    @classmethod
    def load(cls, path: Path | str) -> "Recommender":
        """Read a finished run; a model that goes on from a history has read all that is hidden.

        Raises:
            InputError: there is no finished run there.
        """
        run = RunDirectory(Path(path))
        run.require()
        users, items, counts = run.read_vocabulary()
        scorer = run.read_latest_scorer()
        table = run.read_items()
        fields = None if table is None else Fields(table.drop_columns(["item_id", "image"]))
        fold_in = restore_fold_in(run, scorer, counts)
        return cls(users, items, scorer, *run.read_seen(), counts, fields, fold_in)

    @property
    def items(self) -> Vocabulary:
        """The items that there are now."""
        return self._shelf.items

    @property
    def scorer(self) -> Scorer:
        """What scores the known users."""
        return self._shelf.scorer

    @property
    def train_counts(self) -> IndexArray:
        """Training interactions per item (N,); 0 for a cold or an added one."""
        return self._shelf.train_counts

    def seen(self, user: int) -> IndexArray:
        """Item indices that a user has already."""
        return self._seen_item[self._seen_start[user] : self._seen_start[user + 1]]

    def recommend(
        self,
        users: Sequence[str] | None = None,
        k: int = 10,
        *,
        history: Sequence[str] | None = None,
        exclude_seen: bool = True,
        candidates: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> list[Recommendation]:
        """The k best items for known users, or for anyone with a history; best first.

        A history is folded in (`cliper.scoring.fold_in`). An empty one gets the items with the
        most training interactions, which are then the scores.

        Args:
            users: user ids.
            k: how many, at least 1; fewer come where fewer are left.
            history: item ids that somebody took, oldest first, instead of `users`.
            exclude_seen: leave out what the user has already, or what the history holds.
            candidates: item ids to choose among; all items when None.
            where: conditions on the items' fields (`cliper.serving.where`); the k best are chosen
                among the items that meet them.

        Raises:
            InputError: an unknown user or item id, k below 1, both or neither of `users` and
                `history`, a filter that does not fit the fields.

        >>> shop = Recommender.load("runs/shop")  # doctest: +SKIP
        >>> shop.recommend(history=["sku-1", "sku-7"], where={"kind": "bag"})  # doctest: +SKIP
        """
        shelf = self._shelf
        if (users is None) == (history is None):
            raise InputError("name users, or give a history, one of both", where="recommend")
        pool = shelf.pool(candidates, where)
        if history is not None:
            taken = shelf.history(history)
            scorer = shelf.visitors([taken])
            return _answer(shelf, scorer, [""], np.zeros(1, np.int64), [taken], k, pool,
                           exclude_seen)  # fmt: skip
        asked = [users] if isinstance(users, str) else list(users or ())
        rows = self.users.indices(asked, "user")
        seen = [self.seen(int(row)) for row in rows]
        return _answer(shelf, shelf.scorer, asked, rows, seen, k, pool, exclude_seen)

    def similar_items(
        self,
        items: Sequence[str],
        k: int = 10,
        *,
        candidates: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> list[Recommendation]:
        """The k items whose representations have the largest cosine with each given item's.

        Raises:
            InputError: as `recommend`.
        """
        shelf = self._shelf
        asked = [items] if isinstance(items, str) else list(items)
        rows = shelf.items.indices(asked, "item")
        pool = shelf.pool(candidates, where)

        def score(part: slice) -> Tensor:
            scores = shelf.scorer.similarities(torch.from_numpy(rows[part]))
            return scores if pool is None else scores[:, pool]

        own = [row[None] for row in rows]
        return _best(shelf, asked, score, own, k, pool)


def _answer(
    shelf: Shelf,
    scorer: Scorer,
    queries: list[str],
    rows: IndexArray,
    seen: Sequence[IndexArray],
    k: int,
    pool: Tensor | None,
    exclude_seen: bool,
) -> list[Recommendation]:
    """The best of the scorer's users `rows`."""
    offered = scorer if pool is None else scorer.restrict(pool)

    def score(part: slice) -> Tensor:
        return offered(torch.from_numpy(rows[part]))

    return _best(shelf, queries, score, seen if exclude_seen else None, k, pool)


def _best(
    shelf: Shelf,
    queries: list[str],
    score: Callable[[slice], Tensor],
    hidden: Sequence[IndexArray] | None,
    k: int,
    pool: Tensor | None,
) -> list[Recommendation]:
    """The best of each query, some at a time; ties as in evaluation, lower index first."""
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise InputError(f"k is {k}", where="k", remedy="at least 1")
    n = len(shelf.items) if pool is None else len(pool)
    column = np.arange(len(shelf.items))
    if pool is not None:
        column = np.full(len(shelf.items), -1)
        column[pool.numpy()] = np.arange(n)
    found: list[Recommendation] = []
    for start in range(0, len(queries), CHUNK_SIZE):
        part = slice(start, start + CHUNK_SIZE)
        scores = score(part)
        if hidden is not None:
            at = np.repeat(np.arange(len(scores)), [len(one) for one in hidden[part]])
            hide = column[np.concatenate([np.empty(0, np.int64), *hidden[part]])]
            keep = hide >= 0
            scores[torch.from_numpy(at[keep]), torch.from_numpy(hide[keep])] = -torch.inf
        values, columns = top_k(scores, min(k, n))
        best = columns.clamp(min=0) if pool is None else pool[columns.clamp(min=0)]
        for query, items, row in zip(queries[part], best, values.tolist(), strict=True):
            names = shelf.items.ids(items.numpy())
            found += [
                Recommendation(query, place, name, value)
                for place, (name, value) in enumerate(zip(names, row, strict=True), 1)
                if value > -float("inf")
            ]
    return found
