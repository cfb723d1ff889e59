"""Lines of published files: read in blocks, decoded whatever their bytes are, counted when broken.

The decoding rule: a line is UTF-8; bytes that are not are read as Latin-1, one by one, and the line
is counted. So a line of Latin-1 comes out right, and so does one that mixes both.
"""

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from cliper.data.ledger import Ledger, Section
from cliper.data.readers.formats import reading, text_lines
from cliper.data.readers.rows import Advance
from cliper.errors import InputError

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


def lines_of(stream: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a stream without their ends; None for one that is too long."""
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
            yield None if skipping else b"".join(tail)
            yield from rest[:-1]
            tail, size, skipping = [rest[-1]], len(rest[-1]), False
    if skipping:
        yield None
    elif any(tail):
        yield b"".join(tail)


def first_line(path: Path) -> str:
    """The first line that holds something: of many files, the header."""
    source = text_lines(path)
    with reading(source.name), source.open() as stream:
        texts = (decode(line)[0].strip() for line in lines_of(stream) if line)
        return next((text for text in texts if text), "")


def parsed_lines(
    path: Path,
    parse: Callable[[str], Any],
    what: str,
    ledger: Ledger,
    section: Section,
    advance: Advance,
    none: str = "",
) -> Iterator[tuple[int, Any]]:
    """One value a line, with the line's number; None where a line is broken and counted.

    Blank lines are passed over.

    Args:
        path: the file, gzipped if its name ends in `.gz`.
        parse: text → value; None or a `ValueError` for a broken line.
        what: what a line should be, for the reason ("not a JSON object").
        ledger: takes the counts.
        section: where broken lines count.
        advance: told how many more bytes of the file have been read.
        none: refuse a file of broken lines alone, and say so: "none of its 3 lines …".

    Raises:
        InputError: the file itself is damaged, or `none` was given and no line can be read.
    """
    source = text_lines(path)
    found = lost = 0
    with reading(source.name), source.open(advance) as stream:
        for number, line in enumerate(lines_of(stream), 1):
            value = None
            if line is None:
                reason, shown = f"a line of more than {MAX_LINE} bytes", f"line {number}"
            else:
                text, utf8 = decode(line)
                if not utf8:
                    changed = "bytes that are not UTF-8 read as Latin-1"
                    ledger.change(section, changed, 1, [f"line {number}"])
                if not text.strip():
                    continue
                reason, shown = f"not {what}", f"line {number}: {text.strip()[:60]}"
                try:
                    value = parse(text.rstrip("\r"))
                except (ValueError, RecursionError):
                    value = None
            if value is None:
                lost += 1
                ledger.drop(section, reason, 1, [shown])
            found += value is not None
            yield number, value
    if none and not found:
        raise InputError(
            f"none of its {lost} lines {none}" if lost else "the file holds no rows",
            where=source.name,
            remedy="is this the file, and of this release?",
        )
