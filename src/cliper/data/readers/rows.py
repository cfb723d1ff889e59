"""What a source is to the back end: rows in chunks, under standard column names.

A log's rows have `user_id`, `item_id` and perhaps `rating` and `timestamp`; a catalogue's have
`item_id`, fields, and perhaps `image`, `image_url` or `image_urls`. A layout is one function that
makes `Rows` of a path.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from cliper.progress import task
from cliper.types import IndexArray, JsonObject

Advance = Callable[[float], None]
"""Told how many more bytes of the file have been read, or rows where there is none."""

Wanted = Callable[[str], bool]
"""Whether an item can stay in the dataset; what is known of the others need not be kept."""

Role = Literal["items", "interactions"]
CHUNK: dict[Role, int] = {"items": 256, "interactions": 65_536}  # rows of text can be long
"""Rows that are in memory at a time."""

LOG_COLUMNS = ("user_id", "item_id", "rating", "timestamp")


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some consecutive rows.

    Attributes:
        numbers: row numbers, int64 (n,).
        columns: name → n values: strings (CSV), JSON values (None where a row has no such key),
            or an Arrow array (Parquet).
        names: every column of the file (JSON Lines: of these rows), wanted or not.
        skipped: rows among and before these that cannot be read; the reader has counted why.
    """

    numbers: IndexArray
    columns: dict[str, list[Any] | pa.Array]
    names: list[str]
    skipped: int = 0


@dataclass(frozen=True)
class Rows:
    """A log or a catalogue of some layout.

    Attributes:
        files: its files by role; the first gives the name in messages, and its bytes are counted.
        read: gives the rows in the file's order; items that are not wanted need no more than an id.
        repeats: whether an item may occur again; then its first row counts, else it is an error.
        label: the name in messages, of rows that are not in one file.
        size: how many rows those are, where that is known; then rows are counted, not bytes.
        facts: what `dataset.json` says of those, by role.
    """

    files: Mapping[str, Path]
    read: Callable[[Advance, Wanted], Iterator[Chunk]]
    repeats: bool = False
    label: str = ""
    size: float | None = None
    facts: JsonObject = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What messages call it: its path, where it has one."""
        return self.label or str(next(iter(self.files.values())))

    def chunks(self, wanted: Wanted = lambda _: True) -> Iterator[Chunk]:
        """The rows, with a bar of progress and the cycle collector paused.

        Rows are many small containers without cycles; searching them took longer than reading.
        """
        size, unit = self.size, ""
        if size is None and self.files:
            size, unit = next(iter(self.files.values())).stat().st_size, "B"
        with task(f"reading {Path(self.name).name}", size, unit=unit) as progress:
            chunks = self.read(progress.advance, wanted)
            while True:
                paused = gc.isenabled()
                gc.disable()
                try:
                    chunk = next(chunks, None)
                finally:
                    if paused:
                        gc.enable()
                if chunk is None:
                    return
                yield chunk


def chunked(
    rows: Iterable[tuple[int, Sequence[Any] | None]], names: Sequence[str], size: int
) -> Iterator[Chunk]:
    """Rows with their numbers, gathered; at least one chunk.

    Args:
        rows: number and values; None in place of a row that cannot be read and is counted.
        names: the columns; values under "" are not needed.
        size: rows a chunk.
    """
    numbers: list[int] = []
    taken: list[Sequence[Any]] = []
    skipped = 0

    def chunk() -> Chunk:
        values = list(zip(*taken, strict=True)) or [()] * len(names)
        columns: dict[str, list[Any] | pa.Array] = {
            name: list(column) for name, column in zip(names, values, strict=True) if name
        }
        return Chunk(np.array(numbers, dtype=np.int64), columns, list(columns), skipped)

    for number, row in rows:
        if row is None:
            skipped += 1
        else:
            numbers.append(number)
            taken.append(row)
        if len(taken) + skipped >= size:
            yield chunk()
            numbers, taken, skipped = [], [], 0
    yield chunk()


def arrow_chunks(
    batches: Iterable[pa.RecordBatch], columns: list[str], names: list[str], advance: Advance
) -> Iterator[Chunk]:
    """Arrow batches of some columns as chunks of rows, counted from 1; at least one.

    Args:
        batches: rows of `columns`.
        columns: the wanted ones.
        names: every column, wanted or not.
        advance: told the rows.
    """
    start = 1
    for batch in batches:
        if batch.num_rows:
            values = {name: plain(batch.column(i)) for i, name in enumerate(columns)}
            yield Chunk(np.arange(start, start + batch.num_rows), values, names)
            start += batch.num_rows
            advance(batch.num_rows)
    if start == 1:
        yield Chunk(np.arange(0), {name: [] for name in columns}, names)


def plain(array: pa.Array) -> pa.Array:
    """The same values without the encodings that a file or library may choose for them."""
    if pa.types.is_dictionary(array.type):
        values = plain(array.dictionary)
        array = pa.DictionaryArray.from_arrays(array.indices, values).dictionary_decode()
    return array.cast(pa.string()) if pa.types.is_string_view(array.type) else array


def picked(names: list[str], columns: Sequence[str] | None) -> list[str]:
    """Of the columns that there are those that are wanted, or all for None."""
    return [name for name in names if columns is None or name in columns]
