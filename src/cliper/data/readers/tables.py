"""A log or a catalogue before it is said which of its columns is what: a file or a frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cliper.data.readers.formats import Format
from cliper.data.readers.general import check_names, file_rows, header
from cliper.data.readers.rows import CHUNK, Role, Rows, arrow_chunks, picked
from cliper.errors import InputError
from cliper.types import JsonObject

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
    return Table(str(path), header(path, form), partial(file_rows, path, role, form=form))


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
        wanted = picked(table.column_names, columns)
        batches = table.select(wanted).to_batches(max_chunksize=CHUNK[role])
        return Rows(
            {},
            lambda advance, _: arrow_chunks(batches, wanted, table.column_names, advance),
            label=where, size=table.num_rows, facts=facts,
        )  # fmt: skip

    return Table(where, list(table.column_names), rows)


def _index(table: pa.Table) -> pa.Table:
    """An index of pandas as a column, if it has a name: one of steps is in the metadata alone."""
    table = table.select([i for i, n in enumerate(table.column_names) if not n.startswith(_INDEX)])
    for one in (table.schema.pandas_metadata or {}).get("index_columns", []):
        if isinstance(one, dict) and one.get("kind") == "range" and one.get("name"):
            steps = pa.array(np.arange(one["start"], one["stop"], one["step"]))
            table = table.append_column(one["name"], steps)
    return table
