"""The general formats, CSV, JSON Lines and Parquet, as rows.

Rows are counted as a person sees them: from 1, and the header of a CSV file is row 1.
"""

import csv
import io
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from cliper.config import nearest
from cliper.data.readers.formats import (
    Format,
    Source,
    not_text,
    reading,
    recognise,
    validated,
)
from cliper.data.readers.rows import (
    CHUNK,
    Advance,
    Chunk,
    Role,
    Rows,
    Wanted,
    arrow_chunks,
    picked,
)
from cliper.errors import InputError
from cliper.files import each_once
from cliper.types import IndexArray

MAX_VALUE = 64 * 2**20  # characters of one CSV value, bytes of one JSON line


def file_rows(
    path: Path, role: Role, columns: Sequence[str] | None = None, form: Format | None = None
) -> Rows:
    """A file's rows, its format told by its name (see `recognise`).

    Args:
        path: the file.
        role: what it holds.
        columns: the wanted ones (those that exist are returned), or None for all.
        form: what its name does not tell.
    """
    return Rows({role: path}, partial(_read, recognise(path, form), CHUNK[role], columns))


def header(path: Path, form: Format) -> list[str]:
    """The names of a file's columns; of JSON, the keys of the first rows.

    Raises:
        InputError: the file is none of the known formats, or broken there.
    """
    rows = _read(recognise(path, form), CHUNK["items"], (), lambda _: None, lambda _: True)
    return next(iter(rows)).names


def _read(
    source: Source, size: int, columns: Sequence[str] | None, advance: Advance, _: Wanted
) -> Iterator[Chunk]:
    """The file's rows in chunks of at most `size`.

    Raises:
        InputError: the structure is broken; the message names the file and the row.
    """
    readers = {"csv": _csv_chunks, "jsonl": _json_chunks, "parquet": _parquet_chunks}
    with reading(source.name):
        try:
            yield from readers[source.kind](source, size, columns, advance)
        except UnicodeError:  # UTF-16 without its mark is no UnicodeDecodeError
            raise not_text(source) from None


def require(columns: list[str], needed: str, where: str) -> None:
    """Refuse a file without the column `needed`.

    Raises:
        InputError: naming the columns that are there.
    """
    if needed not in columns:
        close = nearest(needed, columns) if columns else "known: none"
        have = " ".join(", ".join(columns[:20]).split()) or "none"  # a quoted name may hold lines
        hint = close if close.startswith("did") else f"rename one; the file has: {have}"
        raise InputError(f"no column {needed!r}", where=where, remedy=hint)


def check_names(names: list[str], where: str) -> None:
    """Refuse column names that are empty or occur twice."""
    for name in names:
        if not name or names.count(name) > 1:
            what = f"the column {name!r} occurs twice" if name else "a column has no name"
            raise InputError(what, where=where, remedy="name each column once")


@contextmanager
def _long_values() -> Iterator[None]:
    before = csv.field_size_limit(MAX_VALUE)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _csv_chunks(
    source: Source, size: int, columns: Sequence[str] | None, advance: Advance
) -> Iterator[Chunk]:
    with source.open(advance) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        rows = csv.reader(text, delimiter=source.delimiter, strict=True)
        header = _take(rows, 1, 1, source)
        names = [name.strip() for name in header[0]] if header else []
        if not names:
            raise InputError("no header", where=f"{source.name}, row 1", remedy="name the columns")
        _check_delimiter(names, source)
        check_names(names, f"{source.name}, row 1")
        wanted = {name: names.index(name) for name in picked(names, columns)}
        start = 2
        while taken := _take(rows, size, start, source):
            numbers = np.arange(start, start + len(taken))
            start += len(taken)
            if any(map(len(names).__ne__, map(len, taken))):
                taken, numbers = _check_widths(taken, numbers, len(names), source)
            by_column = list(zip(*taken, strict=True)) or [()] * len(names)
            yield Chunk(numbers, {name: list(by_column[i]) for name, i in wanted.items()}, names)
        if start == 2:
            yield Chunk(np.arange(0), {name: [] for name in wanted}, names)


def _check_delimiter(names: list[str], source: Source) -> None:
    """Refuse a header that another sign takes apart."""
    found = [sign for sign in ";\t|," if sign != source.delimiter and sign in names[0]]
    if len(names) == 1 and found:
        sign = {"\t": "a tab"}.get(found[0], repr(found[0]))
        option = "--delimiter $'\\t'" if found[0] == "\t" else f"--delimiter {found[0]!r}"
        raise InputError(
            f"the columns are separated by {sign}, not by {source.delimiter!r}",
            where=f"{source.name}, row 1",
            remedy=option,
        )


def _take(rows: Iterator[list[str]], size: int, start: int, source: Source) -> list[list[str]]:
    taken: list[list[str]] = []
    with _long_values():
        try:
            taken.extend(itertools.islice(rows, size))  # keeps what came before an error
        except csv.Error as error:
            raise InputError(
                f"broken CSV: {error}",
                where=f"{source.name}, row {start + len(taken)}",
                remedy="a quote opens a value and is closed, a quote inside is doubled",
            ) from None
    return taken


def _check_widths(
    taken: list[list[str]], numbers: IndexArray, width: int, source: Source
) -> tuple[list[list[str]], IndexArray]:
    for row, number in zip(taken, numbers, strict=True):
        if row and len(row) != width:
            raise InputError(
                f"{len(row)} values where the header names {width}",
                where=f"{source.name}, row {number}",
                remedy="quote values that hold the delimiter",
            )
    kept = [i for i, row in enumerate(taken) if row]  # blank lines hold nothing
    return [taken[i] for i in kept], numbers[kept]


def _json_chunks(
    source: Source, size: int, columns: Sequence[str] | None, advance: Advance
) -> Iterator[Chunk]:
    if _is_array(source):
        yield from _array_chunks(source, size, columns, advance)
        return
    with source.open(advance) as stream:
        numbers: list[int] = []
        rows: list[dict[str, Any]] = []
        found = False
        for number in itertools.count(1):
            line = stream.readline(MAX_VALUE + 1)
            if line.strip(b"\xef\xbb\xbf \t\r\n"):
                rows.append(_json_row(line, number, source))
                numbers.append(number)
            if rows and (len(rows) == size or not line):
                found = True
                yield _transposed(rows, numbers, columns)
                rows, numbers = [], []
            if not line:
                break
        if not found:
            raise InputError("the file holds no rows", where=source.name)


def _is_array(source: Source) -> bool:
    with source.open() as stream:
        return stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _array_chunks(
    source: Source, size: int, columns: Sequence[str] | None, advance: Advance
) -> Iterator[Chunk]:
    """One JSON array of objects, in memory as a whole; rows are its places, from 1."""
    with source.open(advance) as stream:
        try:
            rows = json.loads(stream.read().decode("utf-8-sig"), object_pairs_hook=each_once)
        except (ValueError, RecursionError) as error:
            if isinstance(error, UnicodeDecodeError):
                raise
            line = getattr(error, "lineno", None)
            where = source.name if line is None else f"{source.name}, line {line}"
            what = getattr(error, "msg", None) or str(error)
            remedy = "one array of objects, or one object a line"
            raise InputError(f"broken JSON: {what}", where=where, remedy=remedy) from None
    for number, row in enumerate(rows, 1):
        _check_object(row, f"{source.name}, row {number}")
    if not rows:
        raise InputError("the file holds no rows", where=source.name)
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        yield _transposed(part, list(range(start + 1, start + 1 + len(part))), columns)


def _json_row(line: bytes, number: int, source: Source) -> dict[str, Any]:
    where = f"{source.name}, row {number}"
    if len(line) > MAX_VALUE:
        raise InputError(f"a line of more than {MAX_VALUE} bytes", where=where)
    text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    try:
        row = json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        what = str(error) if "given twice" in str(error) else "nested or long beyond use"
        what = error.msg if isinstance(error, json.JSONDecodeError) else what
        raise InputError(
            f"broken JSON: {what}", where=where, remedy="one JSON object a line"
        ) from None
    return _check_object(row, where)


def _check_object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise InputError(
            f"a {'list' if isinstance(row, list) else 'single value'} where an object should be",
            where=where,
            remedy='write rows as {"item_id": "…", …}',
        )
    return row


def _transposed(
    rows: list[dict[str, Any]], numbers: list[int], columns: Sequence[str] | None
) -> Chunk:
    names = list(dict.fromkeys(itertools.chain.from_iterable(rows)))
    values = {name: [row.get(name) for row in rows] for name in picked(names, columns)}
    return Chunk(np.array(numbers), values, names)


def _parquet_chunks(
    source: Source, size: int, columns: Sequence[str] | None, advance: Advance
) -> Iterator[Chunk]:
    with pq.ParquetFile(source.path) as file:
        names = list(file.schema_arrow.names)
        share = source.path.stat().st_size / max(1, file.metadata.num_rows)
        check_names(names, f"{source.name}, row 1")
        wanted = picked(names, columns)
        batches = map(validated, file.iter_batches(batch_size=size, columns=wanted))
        yield from arrow_chunks(batches, wanted, names, lambda rows: advance(share * rows))
