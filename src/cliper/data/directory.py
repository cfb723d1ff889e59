"""A dataset directory is put in place whole, or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cliper.errors import InputError

_OWN = (
    "dataset.json",
    "interactions.parquet",
    "items.parquet",
    "users.parquet",
    "images",
    "features",
)


@contextmanager
def dataset_directory(out: Path) -> Iterator[Path]:
    """Yield an empty sibling directory that takes the place of `out` when the block succeeds.

    A dataset that was there is replaced; whatever else lies in it (encodings, notes) stays.
    When the block fails or is interrupted, `out` is as it was.

    Raises:
        InputError: `out` is a file, or a directory with content that is no dataset.
    """
    out = Path(out).resolve()
    check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".part", dir=out.parent))
    try:
        work.chmod(0o755)
        yield work
        _swap(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_replaceable(out: Path) -> None:
    """Refuse to write a dataset over something that is none.

    Raises:
        InputError: saying what is there.
    """
    if out.exists() and not out.is_dir():
        raise InputError("this is a file", where=str(out), remedy="name a directory")
    if out.is_dir() and any(out.iterdir()) and not (out / "dataset.json").is_file():
        raise InputError(
            "this directory holds something that is no dataset",
            where=str(out),
            remedy="name a new or empty directory, or an earlier dataset",
        )


def _swap(work: Path, out: Path) -> None:
    if not out.is_dir():
        work.rename(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
    out.rename(old / "dataset")
    try:
        work.rename(out)
    except BaseException:
        (old / "dataset").rename(out)
        raise
    for entry in (old / "dataset").iterdir():
        if entry.name not in _OWN:
            entry.rename(out / entry.name)
    shutil.rmtree(old)
