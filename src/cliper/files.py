"""Files are written whole or not at all, and by one process at a time.

What is being written has a hidden name that ends with `.part` and is held by `flock`, which ends
with its process: a `.part` that nobody holds was left by one that was killed, and is swept.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cliper.errors import InputError

LOCK_FILE = ".lock"
# What Python, NumPy, Arrow and PyTorch raise where a value is missing or of another type.
_OTHER_VALUES = (
    LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError,
)  # fmt: skip
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


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
    with naming(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    _hold(handle)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
        with temporary.open("rb+") as stream:  # the bytes first, then the name
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield an empty sibling directory of `path`, which is gone afterwards unless it was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with naming(path):
            name = tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        try:
            handle = os.open(name, os.O_RDONLY)
        except FileNotFoundError:
            continue  # swept before it was held
        _hold(handle)
        if os.path.exists(name):  # noqa: PTH110 (not swept in between)
            break
        os.close(handle)
    temporary = Path(name)
    try:
        temporary.chmod(0o755)
        yield temporary
    finally:
        os.close(handle)
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An error of the system that names no file (a full disk) names this one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and not error.filename:
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
    except Exception as error:  # libraries in Rust say it in their own words
        if number := _OS_ERROR.search(str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        raise


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what processes that were killed left half-written in a folder.

    Args:
        folder: looked at without what lies below it; may be missing.
        name: of the files and directories that were being made; a pattern.
    """
    for left in folder.glob(f".{name}.????????.part"):
        try:
            handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue
        if _hold(handle):
            with suppress(OSError):  # a read-only disk; it lies there for the next one
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        os.close(handle)


def _hold(handle: int) -> bool:
    """Nobody sweeps what is held; False where another does, or where the disk cannot tell."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
        sweep(folder)
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
    except (ValueError, RecursionError) as error:  # not UTF-8, a key given twice, nested too deep
        raise InputError(f"not valid JSON: {error}", where=str(path)) from None


@contextmanager
def as_written(path: Path, remedy: str = "make it again") -> Iterator[None]:
    """What is taken out of a file's values is there, and of the type that it was written with.

    Args:
        path: of the file, for the message.
        remedy: what helps where it is not.

    Raises:
        InputError: in place of what Python raises for a missing key or a value of another type.

    >>> with as_written(Path("report.json")):
    ...     {"mean": 0.5}["metric"]
    Traceback (most recent call last):
    ...
    cliper.errors.InputError: report.json: damaged, or of another version (KeyError: 'metric') \
(make it again)
    """
    try:
        yield
    except _OTHER_VALUES as error:
        told = f"damaged, or of another version ({type(error).__name__}: {error})"
        raise InputError(told, where=str(path), remedy=remedy) from error


def sha256_bytes(content: bytes) -> str:
    """Hex SHA-256."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
