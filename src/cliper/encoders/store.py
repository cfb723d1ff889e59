"""`RowStore`: encoded rows on disk, addressed by what was encoded.

One folder holds one encoder's rows. A row's key is the hash of its content (a text, an image
file's bytes), so a row is found again whatever item or template it came from, and what did not
change is never encoded twice. Rows are appended in chunks of three files, `ID.rows.npy`, its
digest `ID.sha256` and `ID.keys.npy`; each is whole or absent and a chunk counts once its keys are
there, so work that was interrupted resumes after its last chunk. Keys are known to be whole by
their name, which is made of them; rows are compared with their digest when they are read.
"""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cliper.data.readers.formats import open_array
from cliper.errors import InputError
from cliper.files import atomic_path, sha256_file, write_text
from cliper.types import BoolArray, FloatArray

KeyArray = npt.NDArray[np.bytes_]
"""Keys as S32: 32 hex digits, or empty where there is nothing to encode."""

KEY = np.dtype("S32")
ABSENT = b""


def content_key(content: bytes) -> bytes:
    """The key of some content: 128 bits of BLAKE2b in hex.

    >>> content_key(b"red shoe")
    b'207cd3fe8a61780c0e7dd47abe08147b'
    """
    return hashlib.blake2b(content, digest_size=16).hexdigest().encode()


def text_keys(texts: Iterable[str | None]) -> KeyArray:
    """Keys (n,) of texts, empty where a text is None."""
    keys = (ABSENT if t is None else content_key(t.encode("utf-8", "surrogatepass")) for t in texts)
    return np.fromiter(keys, dtype=KEY)


class RowStore:
    """Append-only float32 rows of one width, by key.

    Several processes may append at once: a chunk's name comes from its keys, files are moved into
    place whole, and a row that two of them wrote is merely there twice.

    Args:
        folder: made at the first append.
        width: D of the rows.

    >>> import tempfile
    >>> store = RowStore(Path(tempfile.mkdtemp()), width=2)
    >>> keys = text_keys(["a", "b", None])
    >>> store.append(keys[:2], np.eye(2, dtype=np.float32))
    >>> store.holds(keys).tolist()
    [True, True, False]
    >>> store.read(keys[[1, 0]]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    def __init__(self, folder: Path, width: int) -> None:
        self.folder = folder
        self.width = width
        self.damaged: tuple[str, ...] = ()
        self._checked: set[str] = set()

    def holds(self, keys: KeyArray) -> BoolArray:
        """Which of `keys` (n,) have a row; an empty key never has."""
        return self._find(keys) >= 0

    def append(self, keys: KeyArray, rows: FloatArray) -> None:
        """Add rows (n, width) under distinct `keys` (n,), as one chunk, whole or not at all."""
        if rows.shape != (len(keys), self.width):
            raise ValueError(f"rows of shape {rows.shape} for {len(keys)} keys, width {self.width}")
        if not len(keys):
            return
        name = _chunk_name(keys)
        path = self.folder / f"{name}.rows.npy"
        save_array(path, np.asarray(rows, dtype=np.float32))
        write_text(self.folder / f"{name}.sha256", f"{sha256_file(path)}  {path.name}\n")
        save_array(self.folder / f"{name}.keys.npy", keys.astype(KEY))
        self.refresh()

    def has_chunk(self, keys: KeyArray) -> bool:
        """Whether exactly `keys` (n,) were appended once as a chunk; looks at one file alone."""
        return (self.folder / f"{_chunk_name(keys)}.keys.npy").is_file()

    def read(self, keys: KeyArray, out: FloatArray | None = None) -> FloatArray:
        """The rows of `keys` (n,): float32 (n, width), read chunk by chunk.

        Args:
            keys: any order, repeats allowed.
            out: where to put them (a memory-mapped file, say); rows of empty keys stay untouched.

        Raises:
            InputError: a key that the store lacks, or rows that are not those that were written.
        """
        if out is None:
            out = np.zeros((len(keys), self.width), dtype=np.float32)
        found = self._find(keys)
        wanted = keys != ABSENT
        if (wanted & (found < 0)).any():
            count = int((wanted & (found < 0)).sum())
            raise InputError(f"{count} encodings are missing", where=str(self.folder))
        _, chunk, row, names = self._index
        places = np.flatnonzero(wanted)
        places = places[np.argsort(chunk[found[places]], kind="stable")]
        chunks = chunk[found[places]]
        for here in np.split(places, np.flatnonzero(np.diff(chunks)) + 1):
            if len(here):
                name = names[chunk[found[here[0]]]]
                self._check(name)
                rows = open_array(self.folder / f"{name}.rows.npy")
                out[here] = rows[row[found[here]]]
        return out

    def _check(self, name: str) -> None:
        """Compare a chunk's rows with their digest, once; chunks of earlier versions have none."""
        path, sums = self.folder / f"{name}.rows.npy", self.folder / f"{name}.sha256"
        if name in self._checked or not sums.is_file():
            return
        if sums.read_bytes() != f"{sha256_file(path)}  {path.name}\n".encode():
            raise InputError(
                "damaged: these are not the rows that were encoded",
                where=str(path),
                remedy="delete it and run 'cliper encode' again",
            )
        self._checked.add(name)

    def refresh(self) -> None:
        """Look again at what is on disk."""
        self.__dict__.pop("_index", None)

    @cached_property
    def _index(self) -> tuple[KeyArray, npt.NDArray[np.int32], npt.NDArray[np.int32], list[str]]:
        """Sorted keys, and for each its chunk and its row there; the chunks' names."""
        names, parts, damaged = [], [], []
        for path in sorted(self.folder.glob("*.keys.npy")):
            name = path.name.removesuffix(".keys.npy")
            try:
                keys = open_array(path)
                rows = open_array(self.folder / f"{name}.rows.npy")
                if keys.dtype != KEY or keys.ndim != 1 or rows.shape != (len(keys), self.width):
                    raise ValueError("shapes differ")
                if rows.dtype != np.float32:
                    raise ValueError("no rows")
                if _chunk_name(keys) != name:
                    raise ValueError("other keys")
            except (OSError, ValueError, EOFError):
                damaged.append(name)  # its rows count as missing and are encoded again
                continue
            names.append(name)
            parts.append(keys)
        self.damaged = tuple(damaged)
        sizes = [len(part) for part in parts]
        keys = np.concatenate([np.empty(0, KEY), *parts])
        chunk = np.repeat(np.arange(len(parts), dtype=np.int32), sizes)
        row = np.concatenate(
            [np.empty(0, np.int32), *[np.arange(n, dtype=np.int32) for n in sizes]]
        )
        order = np.argsort(keys, kind="stable")
        return keys[order], chunk[order], row[order], names

    def _find(self, keys: KeyArray) -> npt.NDArray[np.int64]:
        """Position of each key in the sorted index, -1 where it is not there."""
        known = self._index[0]
        if not len(known):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        return np.where((known[at] == keys) & (keys != ABSENT), at, -1)


def _chunk_name(keys: KeyArray) -> str:
    return hashlib.blake2b(keys.tobytes(), digest_size=8).hexdigest()


def save_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a .npy file, whole or not at all."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)
