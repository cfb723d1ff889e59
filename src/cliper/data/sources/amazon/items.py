"""Amazon's metadata as a catalogue."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cliper.data.ledger import Ledger
from cliper.data.readers.chunks import Chunk, next_chunk
from cliper.data.readers.formats import text_lines
from cliper.data.readers.rows import Advance, Wanted
from cliper.data.readers.values import composed
from cliper.data.sources.amazon.fields import FIELDS, FieldReader
from cliper.data.sources.amazon.releases import Release
from cliper.data.sources.lines import Broken, read_records
from cliper.data.sources.literal import parse_literal
from cliper.types import JsonObject

_CHUNK = 1_024


@dataclass(frozen=True)
class AmazonItems:
    """The metadata file of one category: first rows of repeated items count.

    Attributes:
        path: the file.
        release: its layout.
        ledger: takes broken lines and what was changed in values.
    """

    path: Path
    release: Release
    ledger: Ledger
    repeats: bool = True

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"items": self.path}

    def chunks(self, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        """The items; of those that are not wanted the id alone."""
        chunks = self._chunks(advance, wanted)
        while (chunk := next_chunk(chunks)) is not None:
            yield chunk

    def _chunks(self, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        parse, what = record_parser(self.release)
        broken = Broken(self.ledger, "items")
        read_fields = FieldReader(self.release.year, self.ledger)
        key = "parent_asin" if self.release.parents else "asin"
        rows = _Rows()
        seen: set[str] = set()
        for line, record in read_records(text_lines(self.path), parse, what, broken, advance):
            if record is None:
                rows.skipped += 1
            else:
                item = identifier(record.get(key))
                one = "" if item is None else composed(item)
                first = item is not None and one not in seen and wanted(one)
                if first:
                    seen.add(one)
                rows.add(line, item, read_fields(record, line) if first else {})
            if len(rows.numbers) + rows.skipped >= _CHUNK:
                yield rows.chunk()
                rows = _Rows()
        yield rows.chunk()


class _Rows:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.columns: dict[str, list[Any]] = {name: [] for name in ("item_id", *FIELDS)}
        self.skipped = 0

    def add(self, number: int, item: str | None, fields: JsonObject) -> None:
        self.numbers.append(number)
        self.columns["item_id"].append(item)
        for name in FIELDS:
            self.columns[name].append(fields.get(name))

    def chunk(self) -> Chunk:
        numbers = np.array(self.numbers, dtype=np.int64)
        return Chunk(numbers, dict(self.columns), list(self.columns), self.skipped)


def record_parser(release: Release) -> tuple[Callable[[str], Any], str]:
    """How a line of the release is read, and what it should be.

    In 2014 a line is JSON or, in the metadata, a Python dictionary.
    """
    if release.year == 2014:
        return _json_or_literal, "a Python dictionary or JSON object"
    return json.loads, "a JSON object"


def _json_or_literal(text: str) -> Any:
    if text.startswith('{"'):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return parse_literal(text)


def identifier(value: Any) -> str | None:
    """An id as text: stripped, None where there is none or one that no file could hold."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return None
    return value.strip() or None
