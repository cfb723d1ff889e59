"""A dataset directory is put in place whole, or not at all.

A dataset that was there is set aside in a hidden sibling `.NAME.XXXXXXXX.old` while the new one
takes its place. A process that is killed in between leaves it there; whoever prepares the same
directory next puts it back first.
"""

import glob
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cliper.errors import InputError
from cliper.files import sweep, temporary_folder
from cliper.sums import SUMS

_OWN = (
    "dataset.json",
    "interactions.parquet",
    "items.parquet",
    "users.parquet",
    "augmented.parquet",
    "images",
    "features",
    SUMS,
)


@contextmanager
def dataset_directory(out: Path) -> Iterator[Path]:
    """Yield an empty sibling directory that takes the place of `out` when the block succeeds.

    A dataset that was there is replaced; whatever else lies in it (encodings, notes) stays.
    When the block fails or is interrupted, `out` is as it was. What an earlier process set aside
    and was killed before putting back, comes back first.

    Raises:
        InputError: `out` is a file, or a directory with content that is no dataset.
    """
    out = Path(out).resolve()
    recover(out)
    check_replaceable(out)
    sweep(out.parent, glob.escape(out.name))
    with temporary_folder(out) as work:
        yield work
        _swap(work, out)


def recover(out: Path) -> None:
    """Finish what a killed process began: put back what it had set aside of `out`.

    Where `out` is gone, the dataset that was set aside takes its place again. Where the new one
    has come already, what is no part of a dataset (encodings, notes) moves over to it; what the
    new one has under the same name wins over encodings, and leaves anything else where it is.
    """
    out = Path(out).resolve()
    for old in set_aside(out):
        kept = old / "dataset"
        if kept.is_dir() and not out.exists():
            kept.rename(out)
        elif kept.is_dir() and out.is_dir():
            _bring_over(kept, out)
            left = [entry for entry in kept.iterdir() if entry.name not in (*_OWN, "encodings")]
            if left:
                continue
        shutil.rmtree(old)


def set_aside(out: Path) -> list[Path]:
    """Hidden siblings that hold an earlier dataset of `out`, the latest first."""
    out = Path(out).resolve()
    name = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}\.old")  # as `mkdtemp` makes it
    if not out.parent.is_dir():
        return []
    found = [entry for entry in out.parent.iterdir() if name.fullmatch(entry.name)]
    return sorted(found, key=lambda entry: entry.stat().st_mtime_ns, reverse=True)


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
    _bring_over(old / "dataset", out)
    shutil.rmtree(old)


def _bring_over(old: Path, new: Path) -> None:
    """Move what is no part of a dataset to its successor; what that has already, stays there."""
    for entry in old.iterdir():
        if entry.name not in _OWN and not (new / entry.name).exists():
            entry.rename(new / entry.name)
