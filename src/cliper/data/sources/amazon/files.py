"""Where a category's files are: in a folder, or fetched from an address first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cliper.data.sources.amazon.releases import LOG_KINDS, LogKind, Release
from cliper.errors import InputError

if TYPE_CHECKING:
    from cliper.data.sources.download import Downloads

MAX_BYTES = 64 * 2**30
"""Larger files are not fetched unless somebody says so; official ones are smaller."""


@dataclass(frozen=True)
class Found:
    """The metadata and the log of a category."""

    meta: Path
    log: Path
    kind: LogKind


def find(release: Release, category: str, folder: Path, kind: LogKind | None) -> Found:
    """The files in a folder, laid out as officially or flat, gzipped or not.

    Args:
        release: whose names are looked for.
        category: as files spell it.
        folder: where.
        kind: the log wanted; None for the first of `LOG_KINDS` that is there.

    Raises:
        InputError: a file is missing; the message names it and the official address.
    """
    return _both(release, category, str(folder), kind, lambda path: _first(folder, path))


def fetch(
    release: Release, category: str, address: str, kind: LogKind | None, downloads: "Downloads"
) -> Found:
    """The same from an address; what was fetched before is not fetched again.

    Raises:
        InputError: a file is not there, too large, or out of reach.
    """
    return _both(release, category, address, kind, lambda path: _fetched(path, address, downloads))


def present(release: Release, folder: Path) -> list[str]:
    """Categories that the folder has metadata of."""
    pattern = PurePosixPath(release.meta)
    before, after = pattern.name.split("{}")
    ending = after.removesuffix(".gz")
    folders = {folder, *(folder / tail for tail in _tails(str(pattern.parent)))}
    names = [path.name for one in folders if one.is_dir() for path in one.glob(f"{before}*")]
    plain = [name.removesuffix(".gz") for name in names]
    return sorted(
        {name[len(before) : -len(ending)] for name in plain if name.endswith(ending)} - {""}
    )


def _both(
    release: Release,
    category: str,
    where: str,
    kind: LogKind | None,
    get: Callable[[str], Path | None],
) -> Found:
    meta = get(release.meta.format(category))
    if meta is None:
        raise _missing(release, category, where, [release.meta])
    kinds = LOG_KINDS if kind is None else (kind,)
    for one in kinds:
        log = get(release.logs[one].format(category))
        if log is not None:
            return Found(meta, log, one)
    raise _missing(release, category, where, [release.logs[one] for one in kinds])


def _fetched(path: str, address: str, downloads: "Downloads") -> Path | None:
    found = (downloads.get(f"{address.rstrip('/')}/{tail}", path) for tail in _tails(path))
    return next((one for one in found if one is not None), None)


def _first(folder: Path, path: str) -> Path | None:
    for tail in _tails(path):
        plain = tail.removesuffix(".gz")
        for name in (f"{plain}.gz", plain):
            if (folder / name).is_file():
                return folder / name
    return None


def _tails(path: str) -> Iterator[str]:
    """A path and what is left of it without its first folders.

    2023's ratings have the same file name in `0core` and `5core`; a file under neither is taken
    for the ratings of all, so `5core` is never left away.

    >>> list(_tails("benchmark/5core/rating_only/X.csv.gz"))
    ['benchmark/5core/rating_only/X.csv.gz', '5core/rating_only/X.csv.gz']
    """
    parts = path.split("/")
    for start in range(len(parts)):
        if "5core" not in parts[:start]:
            yield "/".join(parts[start:])


def _missing(release: Release, category: str, where: str, patterns: Sequence[str]) -> InputError:
    names = " or ".join(PurePosixPath(one.format(category)).name for one in patterns)
    what = "metadata" if patterns[0] == release.meta else "ratings or reviews"
    return InputError(
        f"no {what} of {category}",
        where=where,
        remedy=f"{names} is needed; officially at {release.address}",
    )
