"""Files of values between delimiters, without quotes: a line too many or too few is counted."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cliper.data.ledger import Ledger, Section
from cliper.data.readers.chunks import Chunk, next_chunk
from cliper.data.readers.formats import reading, text_lines
from cliper.data.readers.rows import Advance
from cliper.data.sources.lines import Broken, line_batches
from cliper.errors import InputError


@dataclass(frozen=True)
class Delimited:
    """Such a file, as a log.

    Attributes:
        path: the file, gzipped if its name ends in `.gz`.
        delimiter: what parts values.
        columns: the standard name of each column, "" for one that is not needed. With `header`,
            the standard name of columns by the name that the first line gives them.
        ledger: takes broken lines.
        header: whether the first line names the columns.
        section: where broken lines count.
    """

    path: Path
    delimiter: str
    columns: Sequence[str] | Mapping[str, str]
    ledger: Ledger
    header: bool = False
    section: Section = "rows"

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"interactions": self.path}

    def chunks(self, advance: Advance) -> Iterator[Chunk]:
        """The rows, every value a text without white space around it."""
        chunks = self._chunks(advance)
        while (chunk := next_chunk(chunks)) is not None:
            yield chunk

    def _chunks(self, advance: Advance) -> Iterator[Chunk]:
        broken = Broken(self.ledger, self.section)
        names = None if self.header else list(self.columns)
        number = found = lost = 0
        source = text_lines(self.path)
        with reading(source.name), source.open(advance) as stream:
            for batch in line_batches(stream):
                numbers: list[int] = []
                rows: list[list[str]] = []
                skipped = 0
                for line in batch:
                    number += 1
                    text = broken.text(line, number)
                    if text == "":
                        continue
                    values = [] if text is None else text.split(self.delimiter)
                    if names is None:
                        names = self._names(values)
                    elif len(values) == len(names):
                        numbers.append(number)
                        rows.append(values)
                    else:
                        skipped += 1
                        if text is not None:
                            broken.drop(f"not {len(names)} values", number, text)
                found += len(rows)
                lost += skipped
                if names is not None and (rows or skipped):
                    yield _chunk(numbers, rows, names, skipped)
        if lost and not found:
            raise InputError(
                f"none of its {lost} lines has {len(names or [])} values",
                where=source.name,
                remedy=f"values are parted by {self.delimiter!r}; is this the file?",
            )

    def _names(self, values: list[str]) -> list[str]:
        known = dict(self.columns) if isinstance(self.columns, Mapping) else {}
        names = [known.get(value.strip(), "") for value in values]
        missing = [theirs for theirs, ours in known.items() if ours not in names]
        if missing:
            raise InputError(
                f"no column {missing[0]!r}",
                where=f"{self.path}, line 1",
                remedy=f"it has: {', '.join(values)[:200]}",
            )
        return names


def _chunk(numbers: list[int], rows: list[list[str]], names: list[str], skipped: int) -> Chunk:
    by_column = list(zip(*rows, strict=True)) or [()] * len(names)
    columns = {name: list(by_column[i]) for i, name in enumerate(names) if name}
    return Chunk(np.array(numbers, dtype=np.int64), dict(columns), list(columns), skipped)
