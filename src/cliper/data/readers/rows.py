"""What a source is to the back end: items and a log, in chunks under standard column names.

A log's chunks have `user_id`, `item_id` and perhaps `rating` and `timestamp`; a catalogue's have
`item_id`, fields, and perhaps `image`, `image_url` or `image_urls`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cliper.data.readers.chunks import Chunk, read_chunks
from cliper.data.readers.formats import Source, recognise

Advance = Callable[[float], None]
"""Told how many more bytes of the file have been read."""

Wanted = Callable[[str], bool]
"""Whether an item can stay in the dataset; what is known of the others need not be kept."""

LOG_COLUMNS = ("user_id", "item_id", "rating", "timestamp")
_LOG_CHUNK = 65_536
_ITEM_CHUNK = 256  # rows of text can be long


class LogSource(Protocol):
    """Interactions of some layout."""

    @property
    def name(self) -> str:
        """What messages call it: its path."""
        ...

    @property
    def files(self) -> Mapping[str, Path]:
        """Its files by role; the first is the one whose bytes are counted."""
        ...

    def chunks(self, advance: Advance) -> Iterator[Chunk]:
        """The rows, in the file's order."""
        ...


class ItemSource(Protocol):
    """A catalogue of some layout."""

    @property
    def name(self) -> str:
        """What messages call it: its path."""
        ...

    @property
    def files(self) -> Mapping[str, Path]:
        """Its files by role; the first is the one whose bytes are counted."""
        ...

    @property
    def repeats(self) -> bool:
        """Whether an id may occur again; then its first row counts, else it is an error."""
        ...

    def chunks(self, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        """The rows, in the file's order; items that are not `wanted` need no more than an id."""
        ...


@dataclass(frozen=True)
class FileLog:
    """A log in one of the general formats."""

    source: Source

    @property
    def name(self) -> str:
        """The path."""
        return self.source.name

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"interactions": self.source.path}

    def chunks(self, advance: Advance) -> Iterator[Chunk]:
        """The rows."""
        return read_chunks(self.source, _LOG_CHUNK, list(LOG_COLUMNS), advance)


@dataclass(frozen=True)
class FileItems:
    """A catalogue in one of the general formats: each id once."""

    source: Source
    repeats: bool = False

    @property
    def name(self) -> str:
        """The path."""
        return self.source.name

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"items": self.source.path}

    def chunks(self, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        """The rows, whether wanted or not."""
        return read_chunks(self.source, _ITEM_CHUNK, None, advance)


def file_log(path: Path) -> FileLog:
    """A log file, its format told by its name (see `recognise`)."""
    return FileLog(recognise(path))


def file_items(path: Path) -> FileItems:
    """A catalogue file, its format told by its name (see `recognise`)."""
    return FileItems(recognise(path))
