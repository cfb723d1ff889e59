"""Amazon's metadata as a catalogue."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cliper.data.ledger import Ledger, Section
from cliper.data.readers.rows import Advance, Chunk, Rows, Wanted, chunked
from cliper.data.readers.values import composed
from cliper.data.sources.amazon.fields import FIELDS, FieldReader
from cliper.data.sources.amazon.releases import Release
from cliper.data.sources.lines import parsed_lines
from cliper.data.sources.literal import parse_literal
from cliper.types import JsonObject

_CHUNK = 1_024


def amazon_items(path: Path, release: Release, ledger: Ledger) -> Rows:
    """The metadata file of one category: first rows of repeated items count.

    Of items that are not wanted the id alone is read.
    """
    key = "parent_asin" if release.parents else "asin"
    read_fields = FieldReader(release.year, ledger)

    def rows(advance: Advance, wanted: Wanted) -> Iterator[tuple[int, list[Any] | None]]:
        seen: set[str] = set()
        for line, record in records(path, release, ledger, "items", advance):
            if record is None:
                yield line, None
                continue
            item = identifier(record.get(key))
            one = "" if item is None else composed(item)
            fields: JsonObject = {}
            if item is not None and one not in seen and wanted(one):
                seen.add(one)
                fields = read_fields(record, line)
            yield line, [item, *(fields.get(name) for name in FIELDS)]

    def read(advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        return chunked(rows(advance, wanted), ("item_id", *FIELDS), _CHUNK)

    return Rows({"items": path}, read, repeats=True)


def records(
    path: Path, release: Release, ledger: Ledger, section: Section, advance: Advance
) -> Iterator[tuple[int, JsonObject | None]]:
    """One dictionary a line, with the line's number; None where a line is none and is counted."""
    what = "a Python dictionary or JSON object" if release.year == 2014 else "a JSON object"

    def dictionary(text: str) -> JsonObject | None:
        text = text.strip()
        value = _json_or_literal(text) if release.year == 2014 else json.loads(text)
        return value if isinstance(value, dict) else None

    return parsed_lines(path, dictionary, what, ledger, section, advance, f"is {what}")


def _json_or_literal(text: str) -> Any:
    """In 2014 a line is JSON or, in the metadata, a Python dictionary."""
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
