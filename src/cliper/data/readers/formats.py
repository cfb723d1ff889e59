"""Which file format a path is, and one-line errors for whatever goes wrong while reading it."""

import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from cliper.errors import InputError

_KINDS: dict[str, Literal["csv", "jsonl", "parquet"]] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".inter": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
_BUFFER = 2**18
_BROKEN_PACKING = (
    EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile,
    NotImplementedError,  # of an archive packed in a way that nobody uses
)  # fmt: skip
_PACKED = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd", ".zip": b"PK"}
_KNOWN = "use .csv, .tsv, .jsonl, .json (each also with .gz, .zst or .zip) or .parquet"
Packing = Literal["", ".gz", ".zst", ".zip"]
Arrow = TypeVar("Arrow", pa.Table, pa.RecordBatch)


@dataclass(frozen=True)
class Format:
    """How a user says that a text file is written.

    Attributes:
        delimiter: of CSV; by the file's ending if None.
        decimal: the sign before a rating's fraction.
        encoding: of the text.

    Raises:
        InputError: no such encoding, or signs that cannot be told apart.
    """

    delimiter: str | None = None
    decimal: str = "."
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise InputError(
                f"no encoding {self.encoding!r}",
                where="--encoding",
                remedy="for instance utf-8, utf-16, latin-1 or cp1252",
            ) from None
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise InputError(
                f"{self.delimiter!r} is not one character",
                where="--delimiter",
                remedy="such as ';'",
            )
        if self.decimal not in (".", ","):
            raise InputError(f"{self.decimal!r}", where="--decimal", remedy="'.' or ','")
        if self.delimiter == self.decimal:
            raise InputError("the same sign as --delimiter", where="--decimal")


@dataclass(frozen=True)
class Source:
    """A file to read: CSV with its delimiter, JSON Lines or Parquet, perhaps packed."""

    path: Path
    kind: Literal["csv", "jsonl", "parquet"]
    packing: Packing = ""
    delimiter: str = ","
    encoding: str = "utf-8"

    @property
    def name(self) -> str:
        """What error messages call it."""
        return str(self.path)

    def open(self, advance: Callable[[float], None] | None = None) -> BinaryIO:
        """Open for reading UTF-8, decompressed.

        Args:
            advance: told how many more bytes of the file have been read, as they lie on disk.
        """
        under = io.BufferedReader(_Watched(self.path, advance), _BUFFER)
        plain: Any = under
        if self.packing == ".gz":
            # its own methods are Python; a buffer around them hands out lines at the speed of C
            plain = _Gunzip(cast(BinaryIO, under))
        elif self.packing == ".zst":
            plain = pa.CompressedInputStream(under, "zstd")
        elif self.packing == ".zip":
            archive = zipfile.ZipFile(under)
            plain = archive.open(_only_member(archive, self.name))
        if codecs.lookup(self.encoding).name not in ("utf-8", "utf-8-sig"):
            plain = pa.transcoding_input_stream(pa.PythonFile(plain, "r"), self.encoding, "utf-8")
        if plain is under:
            return cast(BinaryIO, under)
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, plain), _BUFFER))


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


def _only_member(archive: zipfile.ZipFile, where: str) -> zipfile.ZipInfo:
    """The one file of an archive, beside what macOS adds."""
    files = [
        one for one in archive.infolist()
        if not one.filename.endswith("/") and not one.filename.startswith("__MACOSX/")
    ]  # fmt: skip
    if len(files) != 1:
        raise InputError(f"{len(files)} files in the archive", where=where, remedy="pack one")
    if files[0].flag_bits & 1:
        raise InputError("the archive needs a password", where=where, remedy="unpack it")
    return files[0]


class _Gunzip(gzip.GzipFile):
    """Closes the file under it as well."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._under = raw

    def close(self) -> None:
        super().close()
        self._under.close()


def recognise(path: Path | str, form: Format | None = None) -> Source:
    """Tell the format by the file's name and check it against its first bytes.

    Args:
        path: the file.
        form: what its name does not tell.

    Raises:
        InputError: no such file, a folder, an empty file, an unknown ending, or other content
            than the ending says.
    """
    path, form = Path(path), form or Format()
    _require_file(path)
    packing = _packing(path)
    first = _first_bytes(path, packing)
    inner = Path(path.stem) if packing else path
    if packing == ".zip":
        with reading(str(path)), zipfile.ZipFile(path) as archive:
            inner = Path(_only_member(archive, str(path)).filename)
    ending = inner.suffix.lower()
    if ending not in _KINDS or (packing and _KINDS[ending] == "parquet"):
        shown = (inner.suffix if packing == ".zip" else "") or path.suffix
        raise InputError(f"unknown file ending {shown!r}", where=str(path), remedy=_KNOWN)
    is_parquet = first == b"PAR1"
    if is_parquet != (_KINDS[ending] == "parquet"):
        raise InputError(
            "Parquet data under another ending" if is_parquet else "not Parquet data",
            where=str(path),
            remedy="rename the file",
        )
    delimiter = form.delimiter or ("\t" if ending in (".tsv", ".inter") else ",")
    return Source(path, _KINDS[ending], packing, delimiter, form.encoding)


def text_lines(path: Path | str) -> Source:
    """A file of lines whatever its ending, packed if that is `.gz`, `.zst` or `.zip`.

    Raises:
        InputError: no such file, a folder, an empty file, or packed data where the name says
            other.
    """
    path = Path(path)
    _require_file(path)
    packing = _packing(path)
    _first_bytes(path, packing)
    return Source(path, "jsonl", packing)


def _packing(path: Path) -> Packing:
    ending = path.suffix.lower()
    return cast(Packing, ending) if ending in _PACKED else ""


def _require_file(path: Path) -> None:
    if not path.exists():
        raise InputError("no such file", where=str(path))
    if not path.is_file():
        raise InputError("not a file", where=str(path), remedy="name one file")


def _first_bytes(path: Path, packing: Packing) -> bytes:
    """The first four, which are a packer's if and only if the name says so."""
    with reading(str(path)), path.open("rb") as stream:
        first = stream.read(4)
    if not first:
        raise InputError("the file is empty", where=str(path), remedy="a header and rows")
    found = next((name for name, sign in _PACKED.items() if first.startswith(sign)), "")
    if found == ".zip" and not zipfile.is_zipfile(path):
        found = ""
    if found != packing:
        name = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}.get(found)
        raise InputError(
            f"the ending is {packing}, the data is not" if packing
            else f"{name} data without a {found} ending",
            where=str(path),
            remedy="rename the file",
        )  # fmt: skip
    return first


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what the libraries raise on damaged files into one line."""
    try:
        yield
    except _BROKEN_PACKING as error:
        raise InputError(
            f"the compressed data is cut off or damaged ({_one_line(error)})",
            where=where,
            remedy="fetch or write the file again",
        ) from None
    except (pa.ArrowException, UnicodeDecodeError) as error:
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


def not_text(source: Source) -> InputError:
    """The error for a text file of another encoding, with the first row that shows it."""
    if codecs.lookup(source.encoding).name != "utf-8":
        return InputError(
            f"the text is not {source.encoding}", where=source.name, remedy="name its --encoding"
        )
    number, start = 0, b""
    with source.open() as stream:
        for number, line in enumerate(io.BufferedReader(cast(io.RawIOBase, stream)), 1):  # noqa: B007
            start = start or line[:2]
            try:
                line.decode()
            except UnicodeDecodeError:
                break
    wide = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    likely = "UTF-16" if wide else "Latin-1 or Windows' cp1252"
    option = "utf-16" if wide else "cp1252"
    return InputError(
        f"the text is not UTF-8, but {likely}, it seems",
        where=f"{source.name}, row {number}",
        remedy=f"--encoding {option}, or save the file as UTF-8",
    )


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A Parquet file whose texts are UTF-8 and whose lists end where they should.

    Raises:
        InputError: it cannot be read, or is damaged inside.
    """
    # not pq.read_table, which imports datasets and, where it is installed, pandas
    with reading(str(path)), pq.ParquetFile(path) as file:
        return validated(file.read(columns))


def validated(data: Arrow) -> Arrow:
    """Arrow data, checked inside: a damaged offset would be followed out of its buffer."""
    data.validate(full=True)
    return data


def open_array(path: Path) -> npt.NDArray[Any]:
    """Memory-map a .npy file, read-only.

    Raises:
        ValueError: it is none; a damaged header makes NumPy raise many things.
        OSError: it is not there.
    """
    try:
        with np.errstate(over="raise"):  # of a shape whose product is no number of bytes
            array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="r")  # no pickle, no zip
    except (SyntaxError, TokenError, TypeError, MemoryError, ArithmeticError) as error:
        raise ValueError(f"{path.name}: no .npy file ({type(error).__name__})") from None
    return array
