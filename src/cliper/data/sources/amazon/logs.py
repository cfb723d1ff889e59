"""Amazon's ratings and reviews as a log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cliper.data.ledger import Ledger
from cliper.data.readers.chunks import Chunk, next_chunk
from cliper.data.readers.formats import text_lines
from cliper.data.readers.rows import LOG_COLUMNS, Advance, LogSource
from cliper.data.sources.amazon.items import identifier, record_parser
from cliper.data.sources.amazon.releases import Release
from cliper.data.sources.delimited import Delimited
from cliper.data.sources.lines import Broken, read_records
from cliper.types import JsonObject

_CHUNK = 16_384
_MILLISECONDS = 10**11  # seconds reach this in the year 5138, milliseconds did in 1973

_CSV_2014 = ("user_id", "item_id", "rating", "timestamp")
_CSV_2018 = ("item_id", "user_id", "rating", "timestamp")  # the item first, unlike 2014
_CSV_2023 = {
    "user_id": "user_id",
    "parent_asin": "item_id",
    "rating": "rating",
    "timestamp": "timestamp",
}


def amazon_log(path: Path, release: Release, ledger: Ledger) -> LogSource:
    """The reader for a log file of the release: ratings if it is a CSV file, else reviews."""
    if ".csv" not in path.suffixes[-2:]:
        return AmazonReviews(path, release, ledger)
    if release.year == 2023:
        return Delimited(path, ",", _CSV_2023, ledger, header=True)
    return Delimited(path, ",", _CSV_2014 if release.year == 2014 else _CSV_2018, ledger)


@dataclass(frozen=True)
class AmazonReviews:
    """A file of reviews, one object a line, of which four values are read.

    Attributes:
        path: the file.
        release: its layout.
        ledger: takes broken lines and what was changed.
    """

    path: Path
    release: Release
    ledger: Ledger

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"interactions": self.path}

    def chunks(self, advance: Advance) -> Iterator[Chunk]:
        """Who reviewed what, how and when."""
        chunks = self._chunks(advance)
        while (chunk := next_chunk(chunks)) is not None:
            yield chunk

    def _chunks(self, advance: Advance) -> Iterator[Chunk]:
        parse, what = record_parser(self.release)
        broken = Broken(self.ledger, "rows")
        numbers: list[int] = []
        rows: list[tuple[Any, ...]] = []
        skipped = 0
        for line, record in read_records(text_lines(self.path), parse, what, broken, advance):
            if record is None:
                skipped += 1
            else:
                numbers.append(line)
                rows.append(self._row(record, line))
            if len(rows) + skipped >= _CHUNK:
                yield _chunk(numbers, rows, skipped)
                numbers, rows, skipped = [], [], 0
        yield _chunk(numbers, rows, skipped)

    def _row(self, record: JsonObject, line: int) -> tuple[Any, ...]:
        """User, item, rating and time."""
        if self.release.parents:
            item = identifier(record.get("parent_asin"))
            if item is None and (item := identifier(record.get("asin"))) is not None:
                what = "no parent_asin, its own asin taken"
                self.ledger.change("rows", what, 1, [f"line {line}: {item}"])
            return (
                identifier(record.get("user_id")),
                item,
                _number(record.get("rating")),
                self._time(record.get("timestamp", record.get("sort_timestamp")), line),
            )
        return (
            identifier(record.get("reviewerID")),
            identifier(record.get("asin")),
            _number(record.get("overall")),
            self._time(record.get("unixReviewTime"), line),
        )

    def _time(self, value: Any, line: int) -> str | None:
        text = _number(value)
        if not self.release.milliseconds or text is None:
            return text
        try:
            seconds = int(text)
        except ValueError:
            return text  # no time; the reader of the log counts it
        if abs(seconds) >= _MILLISECONDS:
            return text
        what = "a time in seconds made milliseconds"
        self.ledger.change("rows", what, 1, [f"line {line}: {seconds}"])
        return str(seconds * 1000)


def _number(value: Any) -> str | None:
    """A number as the text that the reader of logs understands."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return str(value)


def _chunk(numbers: list[int], rows: list[tuple[Any, ...]], skipped: int) -> Chunk:
    by_column = list(zip(*rows, strict=True)) or [()] * len(LOG_COLUMNS)
    columns = {name: list(by_column[i]) for i, name in enumerate(LOG_COLUMNS)}
    return Chunk(np.array(numbers, dtype=np.int64), dict(columns), list(columns), skipped)
