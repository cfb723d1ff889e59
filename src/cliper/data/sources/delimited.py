"""Files of values between delimiters, without quotes: a line too many or too few is counted."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cliper.data.ledger import Ledger, Section
from cliper.data.readers.rows import Advance, Chunk, Rows, Wanted, chunked
from cliper.data.sources.lines import first_line, parsed_lines
from cliper.errors import InputError

_CHUNK = 16_384


def delimited_rows(
    path: Path, delimiter: str, width: int, ledger: Ledger, section: Section, advance: Advance
) -> Iterator[tuple[int, list[str] | None]]:
    """Line numbers and values; None for a line of another width."""

    def parse(line: str) -> list[str] | None:
        values = line.split(delimiter)
        return values if len(values) == width else None

    none = f"has {width} values parted by {delimiter!r}"
    return parsed_lines(path, parse, f"{width} values", ledger, section, advance, none)


def delimited_log(
    path: Path, delimiter: str, columns: Sequence[str] | Mapping[str, str], ledger: Ledger
) -> Rows:
    """Such a file, as a log.

    Args:
        path: the file, gzipped if its name ends in `.gz`.
        delimiter: what parts values.
        columns: the standard name of each column, "" for one that is not needed. Of a file whose
            first line names the columns: the standard names by those.
        ledger: takes broken lines.
    """

    def read(advance: Advance, _: Wanted) -> Iterator[Chunk]:
        header = isinstance(columns, Mapping)
        names = _named(path, delimiter, columns) if isinstance(columns, Mapping) else list(columns)
        rows = delimited_rows(path, delimiter, len(names), ledger, "rows", advance)
        if header:
            next(rows)
        yield from chunked(rows, names, _CHUNK)

    return Rows({"interactions": path}, read)


def _named(path: Path, delimiter: str, known: Mapping[str, str]) -> list[str]:
    values = first_line(path).split(delimiter)
    names = [known.get(value.strip(), "") for value in values]
    for theirs, ours in known.items():
        if ours not in names:
            raise InputError(
                f"no column {theirs!r}",
                where=f"{path}, line 1",
                remedy=f"it has: {', '.join(values)[:200]}",
            )
    return names
