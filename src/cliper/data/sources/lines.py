"""Lines of published files: read in blocks, decoded whatever their bytes are, counted when broken.

The decoding rule: a line is UTF-8; bytes that are not are read as Latin-1, one by one, and the line
is counted. So a line of Latin-1 comes out right, and so does one that mixes both.
"""

import codecs
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from cliper.data.ledger import Ledger, Section
from cliper.data.readers.formats import Source, reading
from cliper.errors import InputError
from cliper.types import JsonObject

MAX_LINE = 16 * 2**20
"""Bytes of a line; longer ones are no rows of anything."""

_BLOCK = 2**18
_LATIN_1 = "cliper-latin-1"
_MARK = b"\xef\xbb\xbf"


def _read_as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_LATIN_1, _read_as_latin_1)


def decode(line: bytes) -> tuple[str, bool]:
    """The text of a line, and whether it was UTF-8.

    >>> decode(b"caf\\xc3\\xa9"), decode(b"caf\\xe9 \\xc3\\xa9")
    (('café', True), ('café é', False))
    """
    try:
        return line.decode(), True
    except UnicodeDecodeError:
        return line.decode("utf-8", _LATIN_1), False


def line_batches(stream: BinaryIO) -> Iterator[list[bytes | None]]:
    """The lines of a stream without their ends, some at a time; None for one that is too long."""
    tail: list[bytes] = []
    size, skipping, first = 0, False, True
    while data := stream.read(_BLOCK):
        if first:
            data, first = data.removeprefix(_MARK), False
        head, *rest = data.split(b"\n")
        if not skipping:
            tail.append(head)
            size += len(head)
            if size > MAX_LINE:
                tail, skipping = [], True
        if rest:
            yield [None if skipping else b"".join(tail), *rest[:-1]]
            tail, size, skipping = [rest[-1]], len(rest[-1]), False
    if skipping:
        yield [None]
    elif any(tail):
        yield [b"".join(tail)]


class Broken:
    """Counts lines that are no rows, and lines that are not UTF-8."""

    def __init__(self, ledger: Ledger, section: Section) -> None:
        self._ledger, self._section = ledger, section

    def text(self, line: bytes | None, number: int) -> str | None:
        """The text of a line; None for one that is too long, "" for a blank one."""
        if line is None:
            self.drop(f"a line of more than {MAX_LINE} bytes", number)
            return None
        text, utf8 = decode(line)
        if not utf8:
            what = "bytes that are not UTF-8 read as Latin-1"
            self._ledger.change(self._section, what, 1, [f"line {number}"])
        return text.rstrip("\r") if text.strip() else ""

    def drop(self, reason: str, number: int, sample: str = "") -> None:
        """Count a line that is no row."""
        shown = f"line {number}: {sample[:60]}" if sample else f"line {number}"
        self._ledger.drop(self._section, reason, 1, [shown])


def read_records(
    source: Source,
    parse: Callable[[str], Any],
    what: str,
    broken: Broken,
    advance: Callable[[float], None],
) -> Iterator[tuple[int, JsonObject | None]]:
    """One dictionary a line, with the line's number; None where a line is none and is counted.

    Args:
        source: the file.
        parse: text → value; a `ValueError` makes the line broken.
        what: what a line should be, for messages ("a JSON object").
        broken: takes the counts.
        advance: told how many more bytes of the file have been read.

    Raises:
        InputError: there are lines and none of them can be read, or the file itself is damaged.
    """
    number = found = lost = 0
    with reading(source.name), source.open(advance) as stream:
        for batch in line_batches(stream):
            for line in batch:
                number += 1
                text = broken.text(line, number)
                if text == "":
                    continue
                record = None if text is None else _parsed(text.strip(), parse)
                if record is None:
                    lost += 1
                    if text is not None:
                        broken.drop(f"not {what}", number, text.strip())
                found += record is not None
                yield number, record
    if not found:
        raise InputError(
            f"none of its {lost} lines is {what}" if lost else "the file holds no rows",
            where=source.name,
            remedy="is this the file, and of this release?",
        )


def _parsed(text: str, parse: Callable[[str], Any]) -> JsonObject | None:
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
