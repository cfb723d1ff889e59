"""Files are written whole or not at all, and by one process at a time."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cliper.errors import InputError

LOCK_FILE = ".lock"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path` and move it into place when the block succeeds.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:  # the bytes first, then the name
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """Nobody else works in this folder, which is made where it is missing.

    Args:
        folder: gets a hidden file `.lock`.
        doing: what another one would be doing there, as the error says it.

    Raises:
        InputError: somebody does.

    >>> import tempfile
    >>> with locked(Path(tempfile.mkdtemp()), "trains"):
    ...     pass
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(
            f"another command {doing} here",
            where=str(folder),
            remedy="wait for it, or choose another folder",
        ) from None
    try:
        yield
    finally:
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON; NaN and infinities are refused (they are not JSON)."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The mapping of a JSON object's pairs, for `json.loads`.

    Raises:
        ValueError: a key is given twice; JSON's readers would pass over the first.
    """
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is given twice")
    return mapping


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one is an `InputError` that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=each_once)
    except FileNotFoundError:
        raise InputError("no such file", where=str(path)) from None
    except ValueError as error:  # broken, not UTF-8, or a key that is given twice
        raise InputError(f"not valid JSON: {error}", where=str(path)) from None


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
