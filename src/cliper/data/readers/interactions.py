"""Read a log of interactions in pieces: bad rows dropped and counted, ids encoded on the way.

A row is dropped for the first of these reasons: no user id, no item id (or a word for a missing
value in its place, `NO_ID`), a rating or timestamp that is missing or no number (where the file has
the column), a rating below the threshold (which of several ratings counts: `Repeats`).
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cliper.data.ledger import SAMPLES, Ledger, Section
from cliper.data.readers.general import require
from cliper.data.readers.rows import LOG_COLUMNS, Chunk, Rows
from cliper.data.readers.times import Times, TimeUnit, one_unit, read_times
from cliper.data.readers.values import NO_ID, composed_ids, to_ids, to_numbers
from cliper.errors import InputError
from cliper.types import BoolArray, FloatArray, IndexArray

Codes = npt.NDArray[np.int32]
Repeats = Literal["last", "first", "any"]
"""Which row of a user and an item is compared with the lowest rating: the latest, the earliest (by
time, by the file's order where times are equal or unknown), or each, where one is enough."""


@dataclass(frozen=True, eq=False)
class Log:
    """The rows that were kept, in the file's order.

    Attributes:
        user_ids, item_ids: ids by code; those of dropped rows are among them.
        user, item: codes int32 (n,).
        rating, timestamp: as in `Interactions`.
        time_unit: of `timestamp`; "s" may also be whatever the source counts in.
        first_row: per item code, the number of the first kept row that has it; 0 for none.
        n_read: rows of the file.
    """

    user_ids: list[str]
    item_ids: list[str]
    user: Codes
    item: Codes
    rating: FloatArray | None
    timestamp: IndexArray | None
    first_row: IndexArray
    n_read: int
    time_unit: TimeUnit | None = None

    def missing_in(self, catalogue: Container[str], ledger: Ledger) -> BoolArray:
        """Mask (n,) of the rows whose item the catalogue does not have; they are counted."""
        unknown = np.array([item not in catalogue for item in self.item_ids], dtype=np.bool_)
        missing = unknown[self.item]
        some = np.flatnonzero(unknown & (self.first_row > 0))
        some = some[np.argsort(self.first_row[some])][:SAMPLES]
        samples = [f"row {self.first_row[code]}: {self.item_ids[code]}" for code in some]
        ledger.drop("rows", "item not in the catalogue", int(missing.sum()), samples)
        return missing


class _Codes:
    """Ids to codes in order of appearance, over many chunks; one code for all spellings of an id.

    Args:
        column: the ids' name.
        ledger: takes the count of other spellings.
    """

    def __init__(self, column: str, ledger: Ledger) -> None:
        self.codes: dict[str, int] = {}
        self._column, self._ledger = column, ledger
        self._plain: set[str] = set()  # ids that came composed, of those that are not ASCII
        self._other: dict[str, set[str]] = {}  # how others came

    def encode(self, ids: pa.Array, numbers: IndexArray) -> Codes:
        encoded = ids.dictionary_encode()
        places = np.asarray(encoded.indices)
        names = composed_ids(encoded.dictionary)
        if names is not encoded.dictionary:
            self._note(encoded.dictionary.to_pylist(), names.to_pylist(), places, numbers)
        codes = self.codes
        lookup = [codes.setdefault(name, len(codes)) for name in names.to_pylist()]
        result: Codes = np.array(lookup, dtype=np.int32)[places]
        return result

    def count_merged(self) -> None:
        """Count the ids that came in several spellings."""
        merged = [
            name for name, found in self._other.items() if len(found) > 1 or name in self._plain
        ]
        what = f"{self._column} in several Unicode spellings, made one"
        section: Section = "users" if self._column == "user_id" else "items"
        self._ledger.change(section, what, len(merged), merged[:SAMPLES])

    def _note(
        self, read: list[str], names: list[str], places: IndexArray, numbers: IndexArray
    ) -> None:
        for one, name in zip(read, names, strict=True):
            if one != name:
                self._other.setdefault(name, set()).add(one)
            elif not name.isascii():
                self._plain.add(name)
        other = np.array([a != b for a, b in zip(read, names, strict=True)], dtype=np.bool_)
        rows = np.flatnonzero(other[places])
        samples = [f"row {numbers[row]}: {names[places[row]]}" for row in rows[:SAMPLES]]
        what = f"{self._column} written in Unicode's composed form (NFC)"
        self._ledger.change("rows", what, len(rows), samples)


def read_interactions(
    source: Rows, ledger: Ledger, min_rating: float | None = None, repeats: Repeats = "any"
) -> Log:
    """Read a log with `user_id`, `item_id` and perhaps `rating` and `timestamp`.

    Args:
        source: whatever yields such rows.
        ledger: takes the count of every dropped row, by reason.
        min_rating: rows rated lower are dropped.
        repeats: which row of a pair decides; of `any`, pairs that were also rated lower are
            counted.

    Raises:
        InputError: a column is missing, or the file is broken.
    """
    users, items = _Codes("user_id", ledger), _Codes("item_id", ledger)
    kept: dict[str, list[npt.NDArray[np.generic]]] = {}
    times: list[Times] = []
    first: dict[int, int] = {}
    columns: list[str] | None = None
    n_read = 0
    for chunk in source.chunks():
        if columns is None:
            columns = list(chunk.columns)
            for needed in LOG_COLUMNS[: 2 if min_rating is None else 3]:
                require(chunk.names, needed, source.name)
        _refuse_late_columns(chunk, columns, source.name)
        n_read += len(chunk.numbers) + chunk.skipped
        keep = _Filter(chunk, ledger)
        user_ids = to_ids(_column(chunk, "user_id"), chunk.numbers, source.name)
        item_ids = to_ids(_column(chunk, "item_id"), chunk.numbers, source.name)
        user = users.encode(user_ids, chunk.numbers)
        item = items.encode(item_ids, chunk.numbers)
        for name, ids in (("user_id", user_ids), ("item_id", item_ids)):
            keep.drop(f"no {name}", _empty(ids))
            keep.drop(f"{name} is a word for a missing value", _no_id(ids), ids)
        found: dict[str, npt.NDArray[np.generic]] = {
            "user": user, "item": item, "number": chunk.numbers,
        }  # fmt: skip
        if "rating" in columns:
            rating = to_numbers(_column(chunk, "rating"), np.float32)
            keep.drop("rating missing or not a number", np.isnan(rating))
            found["rating"] = rating.astype(np.float32)
        if "timestamp" in columns:
            read = read_times(_column(chunk, "timestamp"))
            keep.drop("timestamp missing or not a time", ~read.known)
            times.append(read.select(keep.mask))
        for name, values in found.items():
            kept.setdefault(name, []).append(values[keep.mask])
        new, at = np.unique(item[keep.mask], return_index=True)
        for code, row in zip(new.tolist(), chunk.numbers[keep.mask][at].tolist(), strict=True):
            first.setdefault(code, row)
    if not n_read:
        raise InputError("a header and no rows", where=source.name, remedy="add interactions")
    users.count_merged()
    items.count_merged()
    first_row = np.zeros(len(items.codes), dtype=np.int64)
    first_row[list(first)] = list(first.values())
    joined = {name: np.concatenate(kept.pop(name)) for name in list(kept)}
    time_column: IndexArray | None = None
    unit: TimeUnit | None = None
    if times:
        numbers = joined["number"].astype(np.int64, copy=False)
        time_column, unit = one_unit(Times.joined(times), numbers, source.name, ledger)
    pair = joined["user"].astype(np.int64) * max(1, len(items.codes)) + joined["item"]
    rows = _deciding(pair, time_column, repeats, ledger)
    if min_rating is not None:
        rows = _rated(joined["rating"], pair, rows, min_rating, joined["number"], ledger)
    joined = {name: values[rows] for name, values in joined.items()}
    time_column = None if time_column is None else time_column[rows]
    rating_column = joined.get("rating")
    return Log(
        list(users.codes),
        list(items.codes),
        joined["user"].astype(np.int32, copy=False),
        joined["item"].astype(np.int32, copy=False),
        None if rating_column is None else rating_column.astype(np.float32, copy=False),
        time_column,
        first_row,
        n_read,
        unit,
    )


def _deciding(
    pair: IndexArray, time: IndexArray | None, repeats: Repeats, ledger: Ledger
) -> IndexArray:
    """The rows that may make a pair a positive: of `first` and `last`, one a pair."""
    if repeats == "any":
        return np.arange(len(pair))
    order = np.lexsort((pair,) if time is None else (time, pair))  # stable: the file's order
    new = np.ones(len(pair), dtype=np.bool_)
    new[1:] = pair[order[1:]] != pair[order[:-1]]
    if repeats == "last":
        new = np.append(new[1:], True) if len(new) else new
    kept = np.sort(order[new])
    which = {"last": "latest", "first": "earliest"}[repeats]
    what = f"the same user and item again, the {which} row decides"
    ledger.drop("rows", what, len(pair) - len(kept))
    return kept


def _rated(
    rating: npt.NDArray[np.generic],
    pair: IndexArray,
    rows: IndexArray,
    lowest: float,
    numbers: npt.NDArray[np.generic],
    ledger: Ledger,
) -> IndexArray:
    """Of `rows`, those rated high enough."""
    low = rating[rows].astype(np.float64) < lowest
    samples = [f"row {number}" for number in numbers[rows[low][:SAMPLES]].tolist()]
    ledger.drop("rows", f"rating below {lowest:g}", int(low.sum()), samples)
    both = np.intersect1d(pair[rows[low]], pair[rows[~low]])
    ledger.change("rows", f"a positive pair that was also rated below {lowest:g}", len(both))
    kept: IndexArray = rows[~low]
    return kept


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
            f"the key {late[0]!r} is in none of the first rows, then appears",
            where=f"{where}, row {chunk.numbers[0]} or later",
            remedy="give every row the same keys",
        )


def _empty(ids: pa.Array) -> BoolArray:
    return np.asarray(pc.equal(ids, ""), dtype=np.bool_)


def _no_id(ids: pa.Array) -> BoolArray:
    return np.asarray(pc.is_in(ids, value_set=pa.array(NO_ID)), dtype=np.bool_)


def _column(chunk: Chunk, name: str) -> list[object] | pa.Array:
    return chunk.columns.get(name, [None] * len(chunk.numbers))
