"""`Vocabulary`: the one place where outside ids become inside indices."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from numbers import Integral
from unicodedata import normalize

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cliper.errors import InputError
from cliper.types import IndexArray

_FEW = 100
_OFTEN = 8
"""Of a vocabulary so many times larger single ids are looked up in a dictionary."""
_SINGLE = 10
"""Ids that are looked for one after the other."""


def id_list(ids: object, what: str = "id") -> list[str]:
    """Ids that somebody gave, as a list; one text is a list of one.

    Raises:
        InputError: no texts, or texts that no file can hold.

    >>> id_list("a"), id_list(("a", "b"))
    (['a'], ['a', 'b'])
    """
    if isinstance(ids, bytes) or not isinstance(ids, Iterable):
        raise InputError(f"not a list of {what}s: {ids!r}", remedy="give texts")
    listed = [ids] if isinstance(ids, str) else list(ids)
    for name in listed:
        if not isinstance(name, str):
            remedy = f"ids are texts: {str(name)!r}" if isinstance(name, Integral) else "give texts"
            raise InputError(f"not a text: the {what} {name!r}", remedy=remedy)
        check_unicode(name)
    return listed


def check_unicode(text: str, where: str = "") -> None:
    """Refuse lone surrogates, which neither UTF-8 nor Arrow can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"not valid Unicode: {text!r}", where=where) from None


class Vocabulary:
    """An immutable, ordered set of ids; an id's position is its index.

    Args:
        ids: texts.
        are_unique: they were a vocabulary when they were written; nobody looks again.

    Raises:
        InputError: an id is missing, or occurs twice.

    >>> items = Vocabulary(["b", "a"])
    >>> items.indices(["a", "b", "a"]).tolist()
    [1, 0, 1]
    >>> items.ids([0])
    ['b']
    """

    def __init__(self, ids: Iterable[str] | pa.Array, *, are_unique: bool = False) -> None:
        array = ids if isinstance(ids, pa.Array) else pa.array(list(ids), type=pa.string())
        self._ids = array.cast(pa.string())
        self._asked = 0
        if self._ids.null_count:
            raise InputError("an id is missing")
        if not are_unique and len(pc.unique(self._ids)) != len(self._ids):
            counts = pc.value_counts(self._ids)
            twice = counts.filter(pc.greater(counts.field("counts"), 1))[0]["values"].as_py()
            raise InputError(f"the id {twice!r} occurs twice", remedy="ids must be unique")

    def __len__(self) -> int:
        return len(self._ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self._ids.equals(other._ids)

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} ids, {self.hash[:8]})"

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 of the ids in order; two vocabularies agree if and only if this does."""
        digest = hashlib.sha256()
        for name in self._ids.to_pylist():
            data = name.encode()
            digest.update(len(data).to_bytes(8, "little") + data)
        return digest.hexdigest()

    @property
    def array(self) -> pa.Array:
        """The ids as an Arrow string array, (n,)."""
        return self._ids

    def ids(self, indices: Sequence[int] | IndexArray | None = None) -> list[str]:
        """The ids at `indices` (n,), or all of them in order."""
        taken = self._ids if indices is None else self._ids.take(pa.array(indices, pa.int64()))
        result: list[str] = taken.to_pylist()
        return result

    def find(self, ids: Sequence[str] | pa.Array | pa.ChunkedArray, what: str = "id") -> IndexArray:
        """Indices (n,) of `ids`, -1 where an id is unknown.

        One in another Unicode spelling is found by the composed one (NFC), which `prepare` writes.
        """
        if isinstance(ids, pa.ChunkedArray):
            ids = ids.combine_chunks()
        given = ids if isinstance(ids, pa.Array) else id_list(ids, what)
        if len(given) * _FEW < len(self) and self._asked_often():
            names = given.to_pylist() if isinstance(given, pa.Array) else given
            found = np.array([self._places.get(name, -1) for name in names], dtype=np.int64)
            if (found >= 0).all():
                return found
            return self._respelt(pa.array(names, pa.string()), found)
        values = given if isinstance(given, pa.Array) else pa.array(given, pa.string())
        return self._respelt(values, np.array(self._index_in(values), dtype=np.int64))

    def _respelt(self, values: pa.Array, found: IndexArray) -> IndexArray:
        """What was not found, by its composed spelling."""
        lost = np.flatnonzero(found < 0)
        if len(lost):
            names = values.take(pa.array(lost)).to_pylist()
            spelt = [None if name is None else normalize("NFC", name) for name in names]
            found[lost] = self._index_in(pa.array(spelt, values.type))
        return found

    def _asked_often(self) -> bool:
        self._asked += 1
        return self._asked > _OFTEN

    @cached_property
    def _places(self) -> dict[str, int]:
        """Kept for those who look up a few often: Arrow goes through all ids at each."""
        return {name: place for place, name in enumerate(self._ids.to_pylist())}

    def _index_in(self, values: pa.Array) -> IndexArray:
        if len(values) <= _SINGLE:  # Arrow's index_in makes a table of all ids first
            return np.array([pc.index(self._ids, one).as_py() for one in values], np.int64)
        found = pc.fill_null(pc.index_in(values, value_set=self._ids), -1)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)

    def indices(self, ids: Sequence[str] | pa.Array, what: str = "id") -> IndexArray:
        """Indices (n,) of `ids`; an unknown id is an `InputError` that names it."""
        found = self.find(ids, what)
        if (found < 0).any():
            unknown = list(ids)[int(np.argmax(found < 0))]
            raise InputError(f"unknown {what} {str(unknown)!r}")
        return found
