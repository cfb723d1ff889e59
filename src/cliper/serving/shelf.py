"""`Shelf`: the items at one moment, what scores them, and which of them a request is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from cliper.backbones.new_items import extended, shortened
from cliper.data import Catalogue, Vocabulary
from cliper.data.vocabulary import id_list
from cliper.errors import InputError
from cliper.scoring import FactorScorer, FoldIn, Scorer
from cliper.serving.nearest import Nearest
from cliper.serving.where import Fields
from cliper.types import IndexArray


@dataclass(frozen=True, eq=False)
class Shelf:
    """N items and all that is asked of them; never changed, but replaced as a whole.

    Attributes:
        items: their ids.
        scorer: of the known users.
        train_counts: (N,).
        fields: of the items, None where they are not known.
        fold_in: scores for a history; None where the model cannot.
        nearest: finds candidates among very many items; None where all are scored.
        removed: indices of items that are there no longer, sorted.
    """

    items: Vocabulary
    scorer: Scorer
    train_counts: IndexArray
    fields: Fields | None
    fold_in: FoldIn | None
    nearest: Nearest | None = None
    removed: IndexArray = field(default_factory=lambda: np.empty(0, np.int64))

    def with_items(self, new: Catalogue, grown: Scorer, trained: int) -> "Shelf":
        """A shelf with more items behind.

        Args:
            new: n items, in the columns of the fields.
            grown: the model over the `trained` items and these.
            trained: N of the training catalogue.
        """
        scorer = extended(self.scorer, grown, trained)
        counts = np.concatenate([self.train_counts, np.zeros(len(new.items), np.int64)])
        fields = self.fields
        if fields is not None:
            both = pa.concat_tables([fields.table, new.table.cast(fields.table.schema)])
            fields = Fields(both.combine_chunks())  # a chunk a column and item takes 3 kB an item
        items = Vocabulary(pa.concat_arrays([self.items.array, new.items.array]))
        fold_in = None if self.fold_in is None else self.fold_in.extended(scorer)
        return Shelf(items, scorer, counts, fields, fold_in, self.nearest, self.removed)

    def without(self, rows: IndexArray) -> "Shelf":
        """A shelf on which some items are not offered; they may still be in histories."""
        return replace(self, removed=np.union1d(self.removed, rows))

    def dropped(self, rows: IndexArray) -> "Shelf":
        """A shelf that never had some added items; their ids are free for others."""
        kept = np.delete(np.arange(len(self.items)), rows)
        scorer = shortened(self.scorer, kept)
        return Shelf(
            Vocabulary(self.items.array.take(pa.array(kept))),
            scorer,
            self.train_counts[kept],
            None if self.fields is None else Fields(self.fields.table.take(pa.array(kept))),
            None if self.fold_in is None else self.fold_in.extended(scorer),
            self.nearest,
            np.searchsorted(kept, np.setdiff1d(self.removed, rows)),
        )

    def described(self, rows: IndexArray, new: Catalogue) -> "Shelf":
        """A shelf that offers some items (n,) with the fields of `new`; they score as they did."""
        table = self.known_fields().table
        both = pa.concat_tables([table, new.table.cast(table.schema)])
        order = np.arange(len(table))
        order[rows] = len(table) + np.arange(len(rows))
        fields = Fields(both.take(pa.array(order)))
        return replace(self, fields=fields, removed=np.setdiff1d(self.removed, rows))

    @property
    def count(self) -> int:
        """How many items can be recommended."""
        return len(self.items) - len(self.removed)

    @property
    def ranking(self) -> str:
        """How the best items are found: `exact`, or `approximate` and the recall that it has."""
        nearest = self.nearest
        return "exact" if nearest is None else f"approximate, recall {nearest.recall:.3f}"

    @property
    def field_names(self) -> list[str]:
        """What `where` may name; empty where the run does not hold its items' fields."""
        return [] if self.fields is None else self.fields.names

    def known_fields(self) -> Fields:
        """The items' fields.

        Raises:
            InputError: the run does not hold them.
        """
        if self.fields is None:
            raise InputError(
                "the run does not hold the items' fields",
                where="items",
                remedy="train again on a dataset with items; runs of this version hold them",
            )
        return self.fields

    def fields_of(self, item: str) -> dict[str, Any]:
        """An item's fields as they are now; empty where the run does not hold them."""
        row = int(self.items.indices([item], "item")[0])
        return {} if self.fields is None else dict(self.fields.table.slice(row, 1).to_pylist()[0])

    def title(self, item: str) -> str:
        """What to call an item beside its id, as `titles`."""
        return self.titles([item])[0]

    def titles(self, items: Sequence[str]) -> list[str]:
        """What to call items beside their ids: the field `title` or `name`, in letters of either
        case; "" where one has none.
        """
        rows = self.items.indices(items, "item")
        if self.fields is None:
            return [""] * len(rows)
        told = []
        for row in self.fields.table.take(pa.array(rows)).to_pylist():
            fields = {name.lower(): value for name, value in row.items()}
            value = fields.get("title", fields.get("name"))
            told.append(value if isinstance(value, str) else "")
        return told

    def has(self, item: str) -> bool:
        """The item may be in a history: it is there, or was."""
        return bool(self.items.find([item])[0] >= 0)

    def offers(self, item: str) -> bool:
        """The item is there, and was not removed."""
        row = int(self.items.find([item])[0])
        return row >= 0 and row not in self.removed

    def pool(
        self, candidates: Sequence[str] | None, where: Mapping[str, Any] | None
    ) -> Tensor | None:
        """Sorted indices of the items that may be recommended; None for all.

        Raises:
            InputError: an unknown id, no fields, or a filter that does not fit them.
        """
        if candidates is None and where is None:
            return None
        mask = np.ones(len(self.items), dtype=np.bool_)
        if candidates is not None:
            mask[:] = False
            mask[self.items.indices(id_list(candidates, "item"), "item")] = True
        if where is not None:
            mask &= self.known_fields().mask(where)
        return torch.from_numpy(np.flatnonzero(mask))

    def history(self, ids: Sequence[str]) -> IndexArray:
        """Item indices of a history, the last place of an item that occurs twice.

        Raises:
            InputError: an unknown item id.
        """
        rows = self.items.indices(id_list(ids, "item"), "item")
        _, last = np.unique(rows[::-1], return_index=True)
        return rows[np.sort(len(rows) - 1 - last)]

    def visitors(self, histories: Sequence[IndexArray]) -> Scorer:
        """What ranks for people with these histories; by popularity where one is empty.

        Raises:
            InputError: the model cannot fold a history in.
        """
        if self.fold_in is None and any(len(history) for history in histories):
            raise InputError(
                "this model cannot recommend from a history, to the users it was trained on alone",
                where="history",
                remedy="docs/backbones.md lists which can",
            )
        if self.fold_in is not None and all(len(history) for history in histories):
            return self.fold_in.scorer(histories)
        counts = torch.from_numpy(self.train_counts.astype(np.float32))[:, None]
        return FactorScorer(torch.ones(len(histories), 1), counts)
