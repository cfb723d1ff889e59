"""`Reader`: one way that bytes of strangers come into the package."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cliper.errors import CliperError

Read = Callable[[Path], object]
"""Reads a file, or the folder that it lies in."""


@dataclass(frozen=True)
class Reader:
    """A reader and valid files for it.

    Attributes:
        name: for people; the folder of its corpus.
        files: name (which may have a folder before it) → valid content.
        begin: gets the folder with all files; gives what reads one of them.
        refuses: what it may raise.
        fixed: files that are not damaged themselves.
        writes: it leaves files of its own behind.
        share: how often it is drawn, beside 1; slow readers get less.
    """

    name: str
    files: Mapping[str, bytes]
    begin: Callable[[Path], Read]
    refuses: tuple[type[Exception], ...] = (CliperError,)
    fixed: tuple[str, ...] = ()
    writes: bool = False
    share: float = 1.0

    @property
    def damaged(self) -> list[str]:
        """The files that are."""
        return sorted(self.files.keys() - set(self.fixed))


def reader(name: str, files: Mapping[str, bytes], read: Read, **options: object) -> Reader:
    """A reader that needs no preparation."""
    return Reader(name, files, lambda _: read, **options)  # type: ignore[arg-type]


def of_text(read: Callable[[str], object]) -> Read:
    """What takes text that was decoded elsewhere, such as an option of a command."""
    return lambda path: read(path.read_bytes().decode("utf-8", "surrogateescape"))


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
