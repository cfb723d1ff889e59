"""Digests of a directory's files, beside them in `SHA256SUMS`, as `sha256sum -c` reads it.

What was written is compared when it is read, so that a flipped bit is one line and not another
result. A directory without the file is from an earlier version, or somebody is just changing it:
there is nothing to compare.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cliper.errors import InputError
from cliper.files import sha256_bytes, sha256_file, write_text

SUMS = "SHA256SUMS"
SMALL = 2**24  # bytes that are hashed in the time of opening a file
_STORED = re.compile(r"[0-9a-f]{32}\.[a-z0-9]+")
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n/\\]+)")


def write_sums(folder: Path, names: Iterable[str], to_come: Mapping[str, bytes] = {}) -> None:
    """Write `SHA256SUMS` of a folder.

    Args:
        folder: the directory.
        names: files that lie in it.
        to_come: name and content of files that are written afterwards, and make it whole.
    """
    digests = {name: sha256_file(folder / name) for name in names}
    digests |= {name: sha256_bytes(content) for name, content in to_come.items()}
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    write_text(folder / SUMS, "".join(lines))


def read_sums(folder: Path, name: str = SUMS) -> dict[str, str] | None:
    """Name → hex SHA-256; None where there is no `SHA256SUMS`.

    Raises:
        InputError: the file itself is damaged.
    """
    try:
        lines = (folder / name).read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        lines = ["damaged", ""]
    found = [_LINE.fullmatch(line) for line in lines[:-1]]
    pairs = [(match[2], match[1]) for match in found if match]
    if lines[-1] or len(pairs) < len(found) or len(dict(pairs)) < len(pairs):
        raise InputError("damaged: these are not digests of files", where=str(folder / name))
    return dict(pairs)


def check_sums(folder: Path, *names: str, remedy: str, up_to: int | None = None) -> None:
    """Compare files that are about to be read with what was written.

    Args:
        folder: the directory.
        names: files in it; what is missing is for their reader to say.
        remedy: what helps where one is damaged.
        up_to: bytes; larger files are passed over.

    Raises:
        InputError: a file holds other bytes than were written, or is of another directory.
    """
    sums = read_sums(folder)
    for name in names if sums is not None else ():
        path = folder / name
        if not path.is_file() or (up_to is not None and path.stat().st_size > up_to):
            continue
        assert sums is not None
        if sums.get(name) != sha256_file(path):
            raise InputError(
                f"damaged or replaced: not the file that {SUMS} speaks of",
                where=str(path),
                remedy=remedy,
            )


@dataclass
class Verified:
    """What `verify` found.

    Attributes:
        files: compared with a digest.
        without: files that nothing speaks of.
        damaged: missing, or other bytes than were written.
    """

    files: int = 0
    without: int = 0
    damaged: list[Path] = field(default_factory=list)


def verify(path: Path) -> Verified:
    """Read everything below a directory and compare what has a digest.

    Digests are in `SHA256SUMS`, in `NAME.sha256` beside rows of the encoding store, and in the
    names of stored pictures.

    Raises:
        InputError: no such directory.
    """
    if not path.is_dir():
        raise InputError("no such directory", where=str(path))
    found = Verified()
    for folder, _, names in os.walk(path):
        _verify_one(Path(folder), names, found)
    return found


def _verify_one(folder: Path, names: list[str], found: Verified) -> None:
    digests: dict[str, str] = {}
    for name in names:
        if name == SUMS or name.endswith(".sha256"):
            try:
                digests |= read_sums(folder, name) or {}
            except InputError:
                found.damaged.append(folder / name)
        elif _STORED.fullmatch(name):
            digests.setdefault(name, name[:32])
    for name, digest in digests.items():
        path = folder / name
        try:
            is_whole = sha256_file(path).startswith(digest)
        except (OSError, ValueError):  # missing, or no name that a file can have
            is_whole = False
        if not is_whole:
            found.damaged.append(path)
    found.files += len(digests)
    known = {*digests, SUMS, ".lock"}
    found.without += sum(name not in known and not name.endswith(".sha256") for name in names)
