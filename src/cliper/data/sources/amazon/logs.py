"""Amazon's ratings and reviews as a log."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cliper.data.ledger import Ledger
from cliper.data.readers.rows import LOG_COLUMNS, Advance, Chunk, Rows, Wanted, chunked
from cliper.data.sources.amazon.items import identifier, records
from cliper.data.sources.amazon.releases import Release, Year
from cliper.data.sources.delimited import delimited_log
from cliper.types import JsonObject

_CHUNK = 16_384
_MILLISECONDS = 10**11  # seconds reach this in the year 5138, milliseconds did in 1973

_CSV: Mapping[Year, Sequence[str] | Mapping[str, str]] = {
    2014: LOG_COLUMNS,
    2018: ("item_id", "user_id", "rating", "timestamp"),  # the item first, unlike 2014
    2023: {
        "user_id": "user_id",
        "parent_asin": "item_id",
        "rating": "rating",
        "timestamp": "timestamp",
    },
}


def amazon_log(path: Path, release: Release, ledger: Ledger) -> Rows:
    """A log file of the release: ratings if it is a CSV file, else reviews.

    Of a review, one object a line, four values are read.
    """
    if ".csv" in path.suffixes[-2:]:
        return delimited_log(path, ",", _CSV[release.year], ledger)

    def read(advance: Advance, _: Wanted) -> Iterator[Chunk]:
        found = records(path, release, ledger, "rows", advance)
        rows = (
            (line, None if record is None else _row(record, line, release, ledger))
            for line, record in found
        )
        return chunked(rows, LOG_COLUMNS, _CHUNK)

    return Rows({"interactions": path}, read)


def _row(record: JsonObject, line: int, release: Release, ledger: Ledger) -> tuple[Any, ...]:
    """User, item, rating and time."""
    if not release.parents:
        return (
            identifier(record.get("reviewerID")),
            identifier(record.get("asin")),
            _number(record.get("overall")),
            _number(record.get("unixReviewTime")),
        )
    item = identifier(record.get("parent_asin"))
    if item is None and (item := identifier(record.get("asin"))) is not None:
        what = "no parent_asin, its own asin taken"
        ledger.change("rows", what, 1, [f"line {line}: {item}"])
    time = _number(record.get("timestamp", record.get("sort_timestamp")))
    return (
        identifier(record.get("user_id")),
        item,
        _number(record.get("rating")),
        _milliseconds(time, line, ledger),
    )


def _milliseconds(time: str | None, line: int, ledger: Ledger) -> str | None:
    try:
        seconds = int(time or "")
    except ValueError:
        return time  # no time; the reader of the log counts it
    if abs(seconds) >= _MILLISECONDS:
        return time
    what = "a time in seconds made milliseconds"
    ledger.change("rows", what, 1, [f"line {line}: {seconds}"])
    return str(seconds * 1000)


def _number(value: Any) -> str | None:
    """A number as the text that the reader of logs understands."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return str(value)
