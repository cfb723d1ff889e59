"""Content keys of a catalogue's pictures, without reading every file each time."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from cliper.data.readers.formats import open_array
from cliper.encoders.store import ABSENT, KEY, KeyArray, content_key, save_array
from cliper.errors import InputError
from cliper.files import sha256_bytes
from cliper.types import BoolArray, IndexArray

_STORED = re.compile(r"[0-9a-f]{32}\.[a-z0-9]+")
_ENTRY = np.dtype([("stat", KEY), ("content", KEY)])
_WORKERS = 4
_BLOCK = 8192  # files handed to the threads at once: a million futures would weigh gigabytes


def image_keys(paths: Sequence[Path | None], cache: Path) -> tuple[KeyArray, BoolArray]:
    """Content keys (n,) of image files, and which files (n,) are named but not there.

    A file is read again only when its path, size or time of change differ from last time.

    Args:
        paths: files, None where an item has no image.
        cache: a .npy file of what is known, made or renewed here.

    Raises:
        InputError: a picture of the dataset is not the one that was stored.
    """
    stats = _stat_keys(paths)
    named = np.fromiter((path is not None for path in paths), np.bool_, len(paths))
    gone = named & (stats == ABSENT)
    known = _load(cache)
    keys = np.full(len(paths), ABSENT, dtype=KEY)
    at = np.minimum(np.searchsorted(known["stat"], stats), max(len(known) - 1, 0))
    if len(known):
        found = (known["stat"][at] == stats) & (stats != ABSENT)
        keys[found] = known["content"][at[found]]
    todo = np.flatnonzero((keys == ABSENT) & (stats != ABSENT))
    if len(todo):
        new, first, again = np.unique(stats[todo], return_index=True, return_inverse=True)
        entries = np.empty(len(new), dtype=_ENTRY)
        entries["stat"] = new
        entries["content"] = _digests(paths, todo[first])
        keys[todo] = entries["content"][again]
        merged = np.concatenate([known, entries[entries["content"] != ABSENT]])
        _, first = np.unique(merged["stat"], return_index=True)
        with suppress(OSError):  # a disk that is read-only: looked at again next time
            save_array(cache, merged[first])
        gone |= (stats != ABSENT) & (keys == ABSENT)
    return keys, gone


def _stat_keys(paths: Sequence[Path | None]) -> KeyArray:
    """One file of many items is asked once, if they are not too far apart."""
    ask = lru_cache(_BLOCK)(_stat_key)
    return np.fromiter((ask(path) for path in paths), KEY, len(paths))


def _digests(paths: Sequence[Path | None], at: IndexArray) -> KeyArray:
    keys = np.empty(len(at), KEY)
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="digest") as pool:
        for start in range(0, len(at), _BLOCK):
            block = [paths[int(i)] for i in at[start : start + _BLOCK]]
            keys[start : start + len(block)] = list(pool.map(_digest, block))
    return keys


def _stat_key(path: Path | None) -> bytes:
    if path is None:
        return ABSENT
    try:
        stat = path.stat()
    except OSError:
        return ABSENT
    return content_key(os.fsencode(path) + f"|{stat.st_size}|{stat.st_mtime_ns}".encode())


def _digest(path: Path | None) -> bytes:
    if path is None:
        return ABSENT
    try:
        data = path.read_bytes()
    except OSError:
        return ABSENT
    if _STORED.fullmatch(path.name) and sha256_bytes(data)[:32] != path.name[:32]:
        raise InputError(
            "damaged or replaced: a stored picture is named by its bytes, these are others",
            where=str(path),
            remedy="prepare the dataset again",
        )
    return content_key(data)


def _load(cache: Path) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """What is known, sorted by `stat`; a missing or broken cache is an empty one."""
    try:
        entries = open_array(cache)
    except (OSError, ValueError, EOFError):
        return np.empty(0, dtype=_ENTRY)
    return entries if entries.dtype == _ENTRY else np.empty(0, dtype=_ENTRY)
