"""`Recommender`: a run directory, ready to answer; outside ids in, outside ids out."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from cliper.data import Dataset, Vocabulary
from cliper.data.vocabulary import check_unicode, id_list
from cliper.errors import InputError
from cliper.runs import RunDirectory
from cliper.scoring import FactorScorer, FoldIn, Scorer
from cliper.serving.answer import Reasons, Recommendation
from cliper.serving.best import Best, best_for_users, best_of_scores, checked_k
from cliper.serving.explanations import explanations
from cliper.serving.find import Finder
from cliper.serving.nearest import Nearest
from cliper.serving.new_items import NewItems, described, listed
from cliper.serving.restore import restore_fold_in
from cliper.serving.shelf import Shelf
from cliper.serving.stocking import stocked
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
        new_items: makes what `add_items` needs, when it is first called; None where nothing can.
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
        new_items: Callable[[], NewItems] | None = None,
    ) -> None:
        self.users = users
        if (seen_user[1:] < seen_user[:-1]).any():
            order = np.argsort(seen_user, kind="stable")
            seen_user, seen_item = seen_user[order], seen_item[order]
        self._seen_item = seen_item
        self._seen_start = np.searchsorted(seen_user, np.arange(len(users) + 1))
        self._load_new_items = new_items
        self._new_items: NewItems | None = None
        self._adding = Lock()
        self._finder = Finder(self._locked_maker)
        self._trained = len(items)
        self._shelf = Shelf(items, scorer, train_counts, fields, fold_in)

    @classmethod
    def load(
        cls, path: Path | str, dataset: Path | str | None = None, *, exact: bool = False
    ) -> "Recommender":
        """Read a finished run; a model that goes on from a history has read all that is hidden.

        Args:
            path: the run directory.
            dataset: the dataset directory, which `add_items` alone reads; where the run says it
                was if None.
            exact: score all items always, and get ready for histories when one comes: for who asks
                once. Otherwise an index is made of more than 200,000 items, which for a million
                takes some ten seconds.

        Raises:
            InputError: there is no finished run there, or its files are damaged.
        """
        run = RunDirectory(Path(path))
        run.require()
        with ThreadPoolExecutor(1) as beside:  # the digest of a million vectors takes a while
            reading = beside.submit(run.read_latest_scorer)
            users, items, counts = run.read_vocabulary()
            table = run.read_items()
            seen_user, seen_item = run.read_seen()
            scorer = reading.result()
        sizes = (len(users), len(items))
        rows = len(items) if table is None else len(table)
        largest = (seen_user.max(initial=-1), seen_item.max(initial=-1))
        if scorer.shape != sizes or rows != sizes[1] or not np.less(largest, sizes).all():
            raise InputError(
                "its files speak of different users or items",
                where=str(path),
                remedy="train again into another directory",
            )
        fields = None if table is None else Fields(table.drop_columns(["item_id", "image"]))
        fold_in = restore_fold_in(run, scorer, counts)

        def new_items() -> NewItems:
            where = run.read_config()["dataset"]["path"] if dataset is None else dataset
            return NewItems(run, Dataset.load(where))

        found = cls(users, items, scorer, seen_user, seen_item, counts, fields, fold_in, new_items)
        if fold_in is not None and not exact:
            fold_in.make_ready()
        if isinstance(scorer, FactorScorer) and not exact:
            found._shelf = replace(found._shelf, nearest=Nearest.of(scorer))
        return found

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

    @property
    def field_names(self) -> list[str]:
        """What `where` may name; empty where the run does not hold its items' fields."""
        return self._shelf.field_names

    @property
    def shelf(self) -> Shelf:
        """All that is known of the items now."""
        return self._shelf

    def history_of(self, user: str) -> list[str]:
        """Ids of what a user has from the training, oldest first; empty for one that it lacks."""
        row = int(self.users.find([user])[0])
        return [] if row < 0 else self._shelf.items.ids(self.seen(row))

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
        explain: bool | Literal["history", "views"] = False,
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
            explain: say why, as `Recommendation.reasons`: by the history, and by the views where
                the model sees content and the dataset is there. `history` leaves the views out,
                which cost more; `views` is refused where there can be none. For a known user the
                history explains the folded-in score, not the trained vector.

        Raises:
            InputError: an unknown user or item id, k below 1, both or neither of `users` and
                `history`, a filter that does not fit the fields.

        >>> shop = Recommender.load("runs/shop")  # doctest: +SKIP
        >>> shop.recommend(history=["sku-1", "sku-7"], where={"kind": "bag"})  # doctest: +SKIP
        """
        shelf = self._shelf
        if not isinstance(explain, bool) and explain not in ("history", "views"):
            raise InputError(
                f"not a way to explain: {explain!r}",
                where="explain",
                remedy="True, 'history' or 'views'",
            )
        k = checked_k(k)
        if (users is None) == (history is None):
            raise InputError("name users, or give a history, one of both", where="recommend")
        pool = shelf.pool(candidates, where)
        if history is not None:
            taken = shelf.history(history)
            scorer = shelf.visitors([taken])
            rows, asked, seen = np.zeros(1, np.int64), [""], [taken]
        else:
            scorer = shelf.scorer
            asked = id_list(users, "user")
            rows = self.users.indices(asked, "user")
            seen = [self.seen(int(row)) for row in rows]
        best = best_for_users(shelf, scorer, rows, seen if exclude_seen else None, k, pool)
        reasons = None
        if explain:
            rests_on_history = history is None or len(seen[0]) > 0
            views = explain != "history" and rests_on_history
            maker = self._reasons_of_views(explain) if views else None
            reasons = explanations(shelf, maker, scorer, rows, seen, best)
        return _rows(shelf.items, asked, best, reasons)

    def add_items(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Make new items recommendable by their fields and pictures; nothing is trained.

        Views, encoder, similarity, fusion and backbone are the run's. An added item scores what
        the model gives a cold item of its training catalogue, and may be in a history from now on.
        Items are added all or none. The first call loads the encoder.

        Args:
            items: of each its `item_id`, the fields of the training catalogue that it has, and
                under `image` the path of its picture, if there is one.

        Raises:
            InputError: an id that is there already, an unknown field, a picture that cannot be
                used, a model that knows items by who took them alone, or no dataset.

        >>> shop.add_items([{"item_id": "sku-99", "title": "A red bag"}])  # doctest: +SKIP
        """
        items = listed(items)
        for item in items:
            if self._shelf.offers(item["item_id"]):
                raise InputError(f"the item {item['item_id']!r} is there already", where="items")
        self.put_items(items)

    def put_items(
        self, items: Sequence[Mapping[str, Any]], keep: Callable[[], object] = lambda: None
    ) -> None:
        """Add items, or put them in place of those with the same ids.

        An item of the training gets new fields for filters, and scores as it was trained. Removed
        items are there again.

        Args:
            items: as for `add_items`.
            keep: called when all is computed and before it can be seen; if it raises, nothing is.

        Raises:
            InputError: as `add_items`, but for ids that are there.
        """
        items = listed(items)
        with self._adding:
            shelf = stocked(self._shelf, items, self._trained, self._maker)
            keep()
            self._shelf = shelf

    def prepare_items(self) -> None:
        """Load what adds items now, so that the first one does not wait for it.

        Raises:
            InputError: the model or the features cannot take new items.
        """
        with self._adding:
            maker = self._maker()
            table = maker.catalogue.table
            known = {name: values[0] for name, values in table.slice(0, 1).to_pydict().items()}
            one = described([{**known, "item_id": "\x01"}], table)
            for _ in maker.grown(one):
                pass

    def remove_items(self, items: Sequence[str], keep: Callable[[], object] = lambda: None) -> None:
        """Recommend some items no longer. They stay in the histories in which they are.

        Raises:
            InputError: an unknown item id.
        """
        with self._adding:
            shelf = self._shelf.without(self._shelf.items.indices(items, "item"))
            keep()
            self._shelf = shelf

    def find(
        self,
        text: str | None = None,
        picture: Path | str | None = None,
        k: int = 10,
        *,
        where: Mapping[str, Any] | None = None,
    ) -> list[Recommendation]:
        """The k items that a text or a picture means; a shop's search box.

        A text's score is the share of its words that an item's fields hold, and, where the run's
        features are made of views, the cosine of the text with them. A picture's is the cosine
        with an item's picture. Items of which nothing speaks are left out.

        Raises:
            InputError: both or none are given, what is no text, a picture that cannot be used, or
                a run that knows no pictures.
        """
        if (text is None) == (picture is None):
            raise InputError("give a text or a picture, one of both", where="find")
        if text is not None:
            if not isinstance(text, str):
                raise InputError(f"not a text: {text!r}", where="find")
            check_unicode(text, "find")
        shelf, k = self._shelf, checked_k(k)
        scores = self._finder.scores(shelf, text, None if picture is None else Path(picture))
        pool = shelf.pool(None, where)
        chosen = torch.from_numpy(np.where(scores > 0, scores, -np.inf)[None])
        chosen = chosen if pool is None else chosen[:, pool]
        best = best_of_scores(shelf, lambda _: chosen, 1, None, k, pool)
        return _rows(shelf.items, [""], best)

    def _maker(self) -> NewItems:
        """What adds items and knows their views, loaded when it is first needed."""
        if self._new_items is None:
            if self._load_new_items is None:
                raise InputError("only a run that was loaded knows its content", where="items")
            self._new_items = self._load_new_items()
        return self._new_items

    def _locked_maker(self) -> NewItems:
        with self._adding:
            return self._maker()

    def _reasons_of_views(self, explain: bool | str) -> NewItems | None:
        """What knows the views; None where there are none and nobody insists."""
        try:
            maker = self._locked_maker()
            maker.encodings_of(self.items.ids([0])[0])
        except InputError:
            if explain == "views":
                raise
            return None
        return maker

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
        shelf, k = self._shelf, checked_k(k)
        asked = id_list(items, "item")
        rows = shelf.items.indices(asked, "item")
        pool = shelf.pool(candidates, where)

        def score(part: slice) -> Tensor:
            scores = shelf.scorer.similarities(torch.from_numpy(rows[part]))
            return scores if pool is None else scores[:, pool]

        best = best_of_scores(shelf, score, len(rows), [row[None] for row in rows], k, pool)
        return _rows(shelf.items, asked, best)


def _rows(
    ids: Vocabulary,
    queries: Sequence[str],
    best: Sequence[Best],
    reasons: Sequence[Sequence[Reasons]] | None = None,
) -> list[Recommendation]:
    """Answers in outside ids."""
    rows = []
    for at, (query, (items, scores)) in enumerate(zip(queries, best, strict=True)):
        why = [None] * len(scores) if reasons is None else reasons[at]
        named = zip(ids.ids(items), scores, why, strict=True)
        rows += [Recommendation(query, n, *one) for n, one in enumerate(named, 1)]
    return rows
