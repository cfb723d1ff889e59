"""Which file format a path is, and one-line errors for whatever goes wrong while reading it."""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cliper.errors import InputError

_KINDS: dict[str, Literal["csv", "jsonl", "parquet"]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".inter": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_BUFFER = 2**18
_KNOWN = "use .csv, .tsv, .jsonl (each also with .gz) or .parquet"


@dataclass(frozen=True)
class Source:
    """A file to read: CSV with its delimiter, JSON Lines or Parquet, perhaps gzipped."""

    path: Path
    kind: Literal["csv", "jsonl", "parquet"]
    gzipped: bool = False
    delimiter: str = ","

    @property
    def name(self) -> str:
        """What error messages call it."""
        return str(self.path)

    def open(self, advance: Callable[[float], None] | None = None) -> BinaryIO:
        """Open for reading bytes, decompressed.

        Args:
            advance: told how many more bytes of the file have been read, as they lie on disk.
        """
        raw = _Watched(self.path, advance)
        if self.gzipped:
            # its own methods are Python; a buffer around them hands out lines at the speed of C
            plain = _Gunzip(io.BufferedReader(raw, _BUFFER))
            return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, plain), _BUFFER))
        return cast(BinaryIO, io.BufferedReader(raw, _BUFFER))


class _Watched(io.FileIO):
    """A file that says how much of it has been read."""

    def __init__(self, path: Path, advance: Callable[[float], None] | None) -> None:
        super().__init__(path, "rb")
        self._advance = advance

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        if self._advance is not None and count:
            self._advance(count)
        return count

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(-1 if size is None else size)
        if self._advance is not None and data:
            self._advance(len(data))
        return data


class _Gunzip(gzip.GzipFile):
    """Closes the file under it as well."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._under = raw

    def close(self) -> None:
        super().close()
        self._under.close()


def recognise(path: Path | str) -> Source:
    """Tell the format by the file's name and check it against its first bytes.

    Raises:
        InputError: no such file, a folder, an empty file, an unknown ending, or other content
            than the ending says.
    """
    path = Path(path)
    _require_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    gzipped = suffixes[-1:] == [".gz"]
    ending = suffixes[-2] if gzipped and len(suffixes) > 1 else (suffixes or [""])[-1]
    if ending not in _KINDS or (gzipped and _KINDS[ending] == "parquet"):
        raise InputError(f"unknown file ending {path.suffix!r}", where=str(path), remedy=_KNOWN)
    is_parquet = _first_bytes(path, gzipped) == b"PAR1"
    if is_parquet != (_KINDS[ending] == "parquet"):
        raise InputError(
            "Parquet data under another ending" if is_parquet else "not Parquet data",
            where=str(path),
            remedy="rename the file",
        )
    return Source(path, _KINDS[ending], gzipped, "\t" if ending in (".tsv", ".inter") else ",")


def text_lines(path: Path | str) -> Source:
    """A file of lines whatever its ending, gzipped if that is `.gz`.

    Raises:
        InputError: no such file, a folder, an empty file, or gzip where none is named or none
            where it is.
    """
    path = Path(path)
    _require_file(path)
    gzipped = path.suffix.lower() == ".gz"
    _first_bytes(path, gzipped)
    return Source(path, "jsonl", gzipped)


def _require_file(path: Path) -> None:
    if not path.exists():
        raise InputError("no such file", where=str(path))
    if not path.is_file():
        raise InputError("not a file", where=str(path), remedy="name one file")


def _first_bytes(path: Path, gzipped: bool) -> bytes:
    """The first four, which are gzip's if and only if the name says so."""
    with reading(str(path)), path.open("rb") as stream:
        first = stream.read(4)
    if not first:
        raise InputError("the file is empty", where=str(path), remedy="a header and rows")
    is_gzip = first[:2] == b"\x1f\x8b"
    if is_gzip != gzipped:
        raise InputError(
            "gzip data without a .gz ending" if is_gzip else "the ending is .gz, the data is not",
            where=str(path),
            remedy="rename the file",
        )
    return first


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what the libraries raise on damaged files into one line."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"the compressed data is cut off or damaged ({_one_line(error)})",
            where=where,
            remedy="fetch or write the file again",
        ) from None
    except pa.ArrowException as error:
        raise InputError(
            f"damaged or unreadable data: {_one_line(error)}",
            where=where,
            remedy="write the file again",
        ) from None
    except OSError as error:
        raise InputError(
            f"cannot be read: {error.strerror or _one_line(error)}", where=where
        ) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def not_utf8(source: Source) -> InputError:
    """The error for a text file that is not UTF-8, with the first row that shows it."""
    number = 0
    with source.open() as stream:
        for number, line in enumerate(io.BufferedReader(cast(io.RawIOBase, stream)), 1):  # noqa: B007
            try:
                line.decode()
            except UnicodeDecodeError:
                break
    return InputError(
        "the text is not UTF-8",
        where=f"{source.name}, row {number}",
        remedy="save the file as UTF-8",
    )


def open_array(path: Path, mode: Literal["r", "c"] = "r") -> npt.NDArray[Any]:
    """Memory-map a .npy file.

    Raises:
        ValueError: it is none; a damaged header makes NumPy raise many things.
        OSError: it is not there.
    """
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode=mode, allow_pickle=False)
    except (SyntaxError, TokenError, TypeError, MemoryError, OverflowError) as error:
        raise ValueError(f"{path.name}: no .npy file ({type(error).__name__})") from None
    return array
