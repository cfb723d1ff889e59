"""`prepare:` of an experiment file: one reader with its options, as in `cliper prepare`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from cliper.config import PathSetting, StrictConfig
from cliper.data import (
    Dataset,
    prepare_amazon,
    prepare_files,
    prepare_microlens,
    prepare_mmrec,
    prepare_movielens,
)
from cliper.data.sources.amazon.releases import LogKind, Year, release
from cliper.errors import InputError


class Reader(StrictConfig):
    """A reader's options are the arguments of the function that prepares.

    Attributes:
        prepared_by: that function; it also takes `out`.
        files: options that name local files and folders.
    """

    prepared_by: ClassVar[Callable[..., Dataset]]
    files: ClassVar[tuple[str, ...]] = ("source", "images")

    name: str | None = Field(None, min_length=1, description="for people; the directory's")

    def check(self) -> None:
        """Refuse what is wrong whatever the files hold.

        Raises:
            InputError: with the key.
        """

    def sources(self) -> list[Path]:
        """Local files and folders whose change is a reason to prepare again."""
        named = (getattr(self, option, None) for option in self.files)
        return [path for path in named if path is not None]

    def prepare(self, out: Path) -> Dataset:
        """Write the dataset directory."""
        return type(self).prepared_by(out=out, **self.arguments())

    def arguments(self) -> dict[str, Any]:
        """What is asked of the function."""
        return {option: getattr(self, option) for option in type(self).model_fields}


class FilesReader(Reader):
    """See `prepare_files`."""

    prepared_by = prepare_files
    files = ("items", "interactions", "images")

    interactions: PathSetting
    items: PathSetting | None = None
    images: PathSetting | None = None
    min_rating: float | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False

    def check(self) -> None:
        """Images and unbought items need a catalogue."""
        if self.items is None and (self.images is not None or self.keep_unbought):
            where = "images" if self.images is not None else "keep_unbought"
            raise InputError(
                "has no effect without a catalogue",
                where=f"prepare.files.{where}",
                remedy="name items, or leave it out",
            )


class AmazonReader(Reader):
    """See `prepare_amazon`."""

    prepared_by = prepare_amazon

    year: Year
    category: str
    source: str = Field(description="a folder, or the address of one")
    log: LogKind | None = None
    images: PathSetting | None = None
    downloads: PathSetting | None = None
    max_download: float = Field(64.0, gt=0, description="GiB; larger files are not fetched")
    min_rating: float | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False

    @property
    def is_address(self) -> bool:
        """The files are fetched first."""
        return self.source.lower().startswith(("http://", "https://"))

    def check(self) -> None:
        """An official category; a folder may hold others, which preparing finds out."""
        if self.is_address:
            release(self.year).category(self.category)
        elif {"downloads", "max_download"} & self.model_fields_set:
            where = "downloads" if self.downloads is not None else "max_download"
            raise InputError(
                "has no effect on files in a folder",
                where=f"prepare.amazon.{where}",
                remedy="leave it out, or give an address as source",
            )

    def sources(self) -> list[Path]:
        """The folder; nothing is watched behind an address."""
        local = [] if self.is_address else [Path(self.source)]
        return local if self.images is None else [*local, self.images]

    def arguments(self) -> dict[str, Any]:
        """The limit in bytes."""
        given = super().arguments()
        return {**given, "max_bytes": int(given.pop("max_download") * 2**30)}


class MovieLensReader(Reader):
    """See `prepare_movielens`."""

    prepared_by = prepare_movielens

    source: PathSetting
    images: PathSetting | None = None
    min_rating: float | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False


class MicroLensReader(Reader):
    """See `prepare_microlens`."""

    prepared_by = prepare_microlens

    source: PathSetting
    images: PathSetting | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False


class MMRecReader(Reader):
    """See `prepare_mmrec`."""

    prepared_by = prepare_mmrec

    source: PathSetting


ReaderName = Literal["files", "amazon", "movielens", "microlens", "mmrec"]


class PrepareSection(StrictConfig):
    """Exactly one reader."""

    files: FilesReader | None = None
    amazon: AmazonReader | None = None
    movielens: MovieLensReader | None = None
    microlens: MicroLensReader | None = None
    mmrec: MMRecReader | None = None

    @model_validator(mode="after")
    def _one(self) -> "PrepareSection":
        if len(self.model_fields_set) != 1 or self._found() is None:
            raise InputError(
                "one reader is needed",
                where="prepare",
                remedy="files, amazon, movielens, microlens or mmrec",
            )
        return self

    def _found(self) -> Reader | None:
        found: Reader | None = (
            self.files or self.amazon or self.movielens or self.microlens or self.mmrec
        )
        return found

    @property
    def reader(self) -> Reader:
        """The one that is named."""
        found = self._found()
        assert found is not None  # the validator says so
        return found
