"""`ItemFields`: the catalogue's fields as tokens, for models that learn from ids of values."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from cliper.data.catalogue import Catalogue
from cliper.data.vocabulary import Vocabulary
from cliper.errors import MismatchError
from cliper.types import IndexArray


@dataclass(frozen=True, eq=False)
class ItemFields:
    """Which of T tokens each of N items has. A token is one value of one field.

    Attributes:
        items_hash: hash of the item vocabulary that row i refers to.
        matrix: binary float32 CSR (N, T).
        tokens: (field, value) of each column, by field, then value.
    """

    items_hash: str
    matrix: sp.csr_matrix
    tokens: tuple[tuple[str, str], ...]

    def check(self, items: Vocabulary) -> None:
        """Refuse to be joined with another catalogue's items.

        Raises:
            MismatchError: the rows belong to other items.
        """
        if items.hash != self.items_hash:
            raise MismatchError("these fields belong to another item vocabulary")

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that have tokens."""
        return tuple(dict.fromkeys(field for field, _ in self.tokens))

    def columns(self, field: str) -> IndexArray:
        """Columns of one field's tokens; empty where it has none."""
        return np.array([at for at, (name, _) in enumerate(self.tokens) if name == field], np.int64)

    def with_items(self, catalogue: Catalogue) -> "ItemFields":
        """With the rows of more items behind, of the same tokens: what else they have is unknown.

        Args:
            catalogue: of the n new items; the result belongs to no vocabulary until it is told.
        """
        column = {token: at for at, token in enumerate(self.tokens)}
        pairs = [(item, column[t]) for item, t in _held(catalogue) if t in column]
        rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        ones = np.ones(len(rows), np.float32)
        shape = (len(catalogue.items), len(self.tokens))
        more = sp.csr_matrix((ones, (rows, columns)), shape=shape)
        return ItemFields("", sp.vstack([self.matrix, more], format="csr"), self.tokens)


def item_fields(catalogue: Catalogue, min_items: int = 2) -> ItemFields:
    """The tokens of a catalogue: each value of a field that at least `min_items` items share.

    A list counts value by value. A value that one item alone has (a title, a description) says
    nothing about any other item, so free texts fall away by themselves.
    """
    held = _held(catalogue)
    counts = Counter(token for _, token in held)
    order = {name: at for at, name in enumerate(catalogue.fields)}
    shared = (token for token, n in counts.items() if n >= min_items)
    tokens = sorted(shared, key=lambda token: (order[token[0]], token))
    column = {token: at for at, token in enumerate(tokens)}
    pairs = [(item, column[token]) for item, token in held if token in column]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    matrix = sp.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)),
        shape=(len(catalogue.items), len(tokens)),
    )
    return ItemFields(catalogue.items.hash, matrix, tuple(tokens))


def _held(catalogue: Catalogue) -> list[tuple[int, tuple[str, str]]]:
    """(item, token) of every value that an item has, each once."""
    return [
        (item, (field, part))
        for field in catalogue.fields
        for item, value in enumerate(catalogue.values(field))
        for part in dict.fromkeys([value] if isinstance(value, str) else value or [])
    ]
