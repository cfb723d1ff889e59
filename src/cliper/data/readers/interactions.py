"""Read a log of interactions in pieces: bad rows dropped and counted, ids encoded on the way.

A row is dropped for the first of these reasons: no user id, no item id, a rating or timestamp that
is missing or no number (where the file has the column), a rating below the threshold, an item
that the catalogue does not have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.readers.chunks import Chunk, read_chunks, require
from cliper.data.readers.formats import recognise
from cliper.data.readers.values import to_ids, to_numbers, to_times
from cliper.errors import InputError
from cliper.progress import task
from cliper.types import BoolArray, FloatArray, IndexArray

_CHUNK = 65_536
_COLUMNS = ["user_id", "item_id", "rating", "timestamp"]
Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Log:
    """The rows that were kept, in the file's order.

    Attributes:
        user_ids, item_ids: ids by code; a catalogue's items come first, in its order.
        user, item: codes int32 (n,).
        rating, timestamp: as in `Interactions`.
        in_log: bool, per item code: it occurs in the file, in a dropped row or a kept one.
        n_read: rows of the file.
    """

    user_ids: list[str]
    item_ids: list[str]
    user: Codes
    item: Codes
    rating: FloatArray | None
    timestamp: IndexArray | None
    in_log: BoolArray
    n_read: int


class _Codes:
    """Ids to codes in order of appearance, over many chunks."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.codes = {name: code for code, name in enumerate(known)}

    def encode(self, ids: pa.Array) -> Codes:
        encoded = ids.dictionary_encode()
        codes = self.codes
        lookup = [codes.setdefault(name, len(codes)) for name in encoded.dictionary.to_pylist()]
        result: Codes = np.array(lookup, dtype=np.int32)[np.asarray(encoded.indices)]
        return result


def read_interactions(
    path: Path, ledger: Ledger, *, catalogue: list[str] | None, min_rating: float | None
) -> Log:
    """Read a file with `user_id`, `item_id` and perhaps `rating` and `timestamp`.

    Args:
        path: .csv, .tsv, .jsonl (each perhaps .gz) or .parquet.
        ledger: takes the count of every dropped row, by reason.
        catalogue: known item ids; rows of other items are dropped. None: every item is known.
        min_rating: rows rated lower are dropped.

    Raises:
        InputError: a column is missing, or the file is broken (see `read_chunks`).
    """
    source = recognise(path)
    users, items = _Codes(), _Codes(catalogue or ())
    n_known = None if catalogue is None else len(items.codes)
    kept: dict[str, list[npt.NDArray[np.generic]]] = {}
    seen: list[Codes] = []
    columns: list[str] | None = None
    n_read = 0
    with task(f"reading {path.name}") as progress:
        for chunk in read_chunks(source, _CHUNK, _COLUMNS):
            if columns is None:
                columns = list(chunk.columns)
                for needed in _COLUMNS[: 2 if min_rating is None else 3]:
                    require(chunk.names, needed, source)
            _refuse_late_columns(chunk, columns, source.name)
            n_read += len(chunk.numbers)
            keep = _Filter(chunk, ledger)
            user_ids = to_ids(_column(chunk, "user_id"), chunk.numbers, source.name)
            item_ids = to_ids(_column(chunk, "item_id"), chunk.numbers, source.name)
            user, item = users.encode(user_ids), items.encode(item_ids)
            seen.append(np.unique(item))
            keep.drop("no user_id", _empty(user_ids))
            keep.drop("no item_id", _empty(item_ids))
            found: dict[str, npt.NDArray[np.generic]] = {"user": user, "item": item}
            if "rating" in columns:
                rating = to_numbers(_column(chunk, "rating"))
                keep.drop("rating missing or not a number", np.isnan(rating))
                if min_rating is not None:
                    keep.drop(f"rating below {min_rating:g}", rating < min_rating)
                found["rating"] = rating.astype(np.float32)
            if "timestamp" in columns:
                found["timestamp"], known = to_times(_column(chunk, "timestamp"))
                keep.drop("timestamp missing or not a time", ~known)
            if n_known is not None:
                keep.drop("item not in the catalogue", item >= n_known, item_ids)
            for name, values in found.items():
                kept.setdefault(name, []).append(values[keep.mask])
            progress.advance(len(chunk.numbers))
    in_log = np.zeros(len(items.codes), dtype=np.bool_)
    for codes in seen:
        in_log[codes] = True
    joined = {name: np.concatenate(kept.pop(name)) for name in list(kept)}
    if not n_read:
        raise InputError("a header and no rows", where=source.name, remedy="add interactions")
    rating_column, time_column = joined.get("rating"), joined.get("timestamp")
    return Log(
        list(users.codes),
        list(items.codes),
        joined["user"].astype(np.int32, copy=False),
        joined["item"].astype(np.int32, copy=False),
        None if rating_column is None else rating_column.astype(np.float32, copy=False),
        None if time_column is None else time_column.astype(np.int64, copy=False),
        in_log,
        n_read,
    )


class _Filter:
    """Rows of one chunk that are still kept; each is counted under the first reason."""

    def __init__(self, chunk: Chunk, ledger: Ledger) -> None:
        self.mask: BoolArray = np.ones(len(chunk.numbers), dtype=np.bool_)
        self._numbers, self._ledger = chunk.numbers, ledger

    def drop(self, reason: str, bad: BoolArray, values: pa.Array | None = None) -> None:
        rows = np.flatnonzero(self.mask & bad)
        samples = [
            f"row {self._numbers[i]}" + ("" if values is None else f": {values[i].as_py()}")
            for i in rows[:SAMPLES].tolist()
        ]
        self._ledger.drop("rows", reason, len(rows), samples)
        self.mask &= ~bad


def _refuse_late_columns(chunk: Chunk, columns: list[str], where: str) -> None:
    late = [name for name in chunk.columns if name not in columns]
    if late:
        raise InputError(
            f"the key {late[0]!r} is in none of the first {_CHUNK} rows, then appears",
            where=f"{where}, row {chunk.numbers[0]} or later",
            remedy="give every row the same keys",
        )


def _empty(ids: pa.Array) -> BoolArray:
    return np.asarray(pc.equal(ids, ""), dtype=np.bool_)


def _column(chunk: Chunk, name: str) -> list[object] | pa.Array:
    return chunk.columns.get(name, [None] * len(chunk.numbers))
