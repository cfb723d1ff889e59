"""Which file format a path is, and one-line errors for whatever goes wrong while reading it."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

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

    def open(self) -> BinaryIO:
        """Open for reading bytes, decompressed."""
        if self.gzipped:
            return cast(BinaryIO, gzip.open(self.path, "rb"))
        return self.path.open("rb")


def recognise(path: Path | str) -> Source:
    """Tell the format by the file's name and check it against its first bytes.

    Raises:
        InputError: no such file, a folder, an empty file, an unknown ending, or other content
            than the ending says.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("no such file", where=str(path))
    if not path.is_file():
        raise InputError("not a file", where=str(path), remedy="name one file")
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    gzipped = suffixes[-1:] == [".gz"]
    ending = suffixes[-2] if gzipped and len(suffixes) > 1 else (suffixes or [""])[-1]
    if ending not in _KINDS or (gzipped and _KINDS[ending] == "parquet"):
        raise InputError(f"unknown file ending {path.suffix!r}", where=str(path), remedy=_KNOWN)
    with reading(str(path)), path.open("rb") as stream:
        first = stream.read(4)
    if not first:
        raise InputError("the file is empty", where=str(path), remedy="a header and rows")
    is_gzip, is_parquet = first[:2] == b"\x1f\x8b", first == b"PAR1"
    if is_gzip != gzipped:
        raise InputError(
            "gzip data without a .gz ending" if is_gzip else "the ending is .gz, the data is not",
            where=str(path),
            remedy="rename the file",
        )
    if is_parquet != (_KINDS[ending] == "parquet"):
        raise InputError(
            "Parquet data under another ending" if is_parquet else "not Parquet data",
            where=str(path),
            remedy="rename the file",
        )
    return Source(path, _KINDS[ending], gzipped, "\t" if ending in (".tsv", ".inter") else ",")


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
