"""A log or a catalogue before it is said which of its columns is what: a file or a frame."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from cliper.data.readers.formats import Format
from cliper.data.readers.general import (
    check_names,
    file_items,
    file_log,
    header,
    plain,
)
from cliper.data.readers.rows import Advance, Chunk, Rows, Wanted
from cliper.errors import InputError
from cliper.types import JsonObject

Role = Literal["items", "interactions"]
CHUNK: dict[Role, int] = {"items": 256, "interactions": 65_536}  # rows of text can be long
"""Rows that are in memory at a time."""
_INDEX = "__index_level_"  # what pandas calls an index without a name


@dataclass(frozen=True)
class Table:
    """Columns under the names that their owner gave them.

    Attributes:
        name: what messages call it.
        names: of the columns.
        rows: the rows with these columns, or with all of them for None.
    """

    name: str
    names: list[str]
    rows: Callable[[Sequence[str] | None], Rows]


def file_table(path: Path, form: Format, role: Role) -> Table:
    """A file, its format told by its name (see `recognise`).

    Raises:
        InputError: the file is none of the known formats, or broken at its head.
    """
    names = header(path, form)
    if role == "items":
        return Table(str(path), names, lambda _: file_items(path, form))
    return Table(str(path), names, lambda columns: file_log(path, columns, form))


def frame_table(frame: Any, role: Role) -> Table:
    """A data frame: anything that hands out Arrow data (`__arrow_c_stream__`, the PyCapsule
    interface), such as a DataFrame of pandas or Polars, an Arrow table, a relation of DuckDB.

    An index of pandas is a column if it has a name.

    Raises:
        InputError: it hands out nothing, or a column of mixed types.
    """
    library = type(frame).__module__.partition(".")[0]
    kind = f"{library} {type(frame).__name__}".removeprefix("builtins ")
    where = f"{role} ({kind})"
    if not hasattr(frame, "__arrow_c_stream__") and not hasattr(frame, "__arrow_c_array__"):
        lazy = hasattr(frame, "collect")
        remedy = "give .collect() of it" if lazy else "a DataFrame (pandas, Polars) or Arrow table"
        raise InputError(f"a {kind} is no data frame", where=role, remedy=remedy)
    try:
        table = pa.table(frame)
    except Exception as error:  # each library has its own for what Arrow cannot hold
        what = " ".join("; ".join(map(str, error.args)).split())[:200]
        remedy = "one type a column: ids as text"
        raise InputError(f"no Arrow table: {what}", where=where, remedy=remedy) from None
    table = _index(table)
    check_names(table.column_names, where)
    facts: JsonObject = {role: {"frame": kind, "rows": table.num_rows}}

    def rows(columns: Sequence[str] | None) -> Rows:
        names = [name for name in table.column_names if columns is None or name in columns]
        batches = partial(table.select(names).to_batches, max_chunksize=CHUNK[role])
        read = partial(arrow_chunks, batches, table.column_names)
        return Rows({}, read, label=where, size=table.num_rows, facts=facts)

    return Table(where, list(table.column_names), rows)


def _index(table: pa.Table) -> pa.Table:
    """An index of pandas as a column, if it has a name: one of steps is in the metadata alone."""
    table = table.select([i for i, n in enumerate(table.column_names) if not n.startswith(_INDEX)])
    for one in (table.schema.pandas_metadata or {}).get("index_columns", []):
        if isinstance(one, dict) and one.get("kind") == "range" and one.get("name"):
            steps = pa.array(np.arange(one["start"], one["stop"], one["step"]))
            table = table.append_column(one["name"], steps)
    return table


def arrow_chunks(
    batches: Callable[[], Iterator[pa.RecordBatch]], names: list[str], advance: Advance, _: Wanted
) -> Iterator[Chunk]:
    """Arrow batches as chunks of rows, counted from 1; at least one.

    Args:
        batches: the wanted columns.
        names: every column, wanted or not.
        advance: told the rows.
    """
    start, empty = 1, Chunk(np.arange(0), {name: [] for name in names}, names)
    for batch in batches():
        columns = {name: plain(batch.column(i)) for i, name in enumerate(batch.schema.names)}
        empty = Chunk(np.arange(0), {name: [] for name in columns}, names)
        if batch.num_rows:
            yield Chunk(np.arange(start, start + batch.num_rows), columns, names)
            start += batch.num_rows
            advance(batch.num_rows)
    if start == 1:
        yield empty
