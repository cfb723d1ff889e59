"""`prepare:` of an experiment file: one reader with its options, as in `cliper prepare`."""

from pathlib import Path
from typing import Literal

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
    """Options that all readers have."""

    name: str | None = Field(None, min_length=1, description="for people; the directory's")

    def check(self) -> None:
        """Refuse what is wrong whatever the files hold.

        Raises:
            InputError: with the key.
        """

    def sources(self) -> list[Path]:
        """Local files and folders whose change is a reason to prepare again."""
        raise NotImplementedError

    def prepare(self, out: Path) -> Dataset:
        """Write the dataset directory."""
        raise NotImplementedError


class FilesReader(Reader):
    """See `prepare_files`."""

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

    def sources(self) -> list[Path]:
        """The tables, and the folder of pictures where one is named."""
        return [p for p in (self.items, self.interactions, self.images) if p is not None]

    def prepare(self, out: Path) -> Dataset:
        """See `prepare_files`."""
        return prepare_files(
            self.items,
            self.interactions,
            self.images,
            out,
            self.min_rating,
            self.k_core,
            self.keep_unbought,
            self.name,
        )


class AmazonReader(Reader):
    """See `prepare_amazon`."""

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

    def prepare(self, out: Path) -> Dataset:
        """See `prepare_amazon`."""
        return prepare_amazon(
            self.year,
            self.category,
            self.source,
            out,
            log=self.log,
            images=self.images,
            min_rating=self.min_rating,
            k_core=self.k_core,
            keep_unbought=self.keep_unbought,
            name=self.name,
            downloads=self.downloads,
            max_bytes=int(self.max_download * 2**30),
        )


class MovieLensReader(Reader):
    """See `prepare_movielens`."""

    source: PathSetting
    images: PathSetting | None = None
    min_rating: float | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False

    def sources(self) -> list[Path]:
        """Both folders."""
        return [self.source] if self.images is None else [self.source, self.images]

    def prepare(self, out: Path) -> Dataset:
        """See `prepare_movielens`."""
        return prepare_movielens(
            self.source,
            out,
            images=self.images,
            min_rating=self.min_rating,
            k_core=self.k_core,
            keep_unbought=self.keep_unbought,
            name=self.name,
        )


class MicroLensReader(Reader):
    """See `prepare_microlens`."""

    source: PathSetting
    images: PathSetting | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False

    def sources(self) -> list[Path]:
        """Both folders."""
        return [self.source] if self.images is None else [self.source, self.images]

    def prepare(self, out: Path) -> Dataset:
        """See `prepare_microlens`."""
        return prepare_microlens(
            self.source,
            out,
            images=self.images,
            k_core=self.k_core,
            keep_unbought=self.keep_unbought,
            name=self.name,
        )


class MMRecReader(Reader):
    """See `prepare_mmrec`."""

    source: PathSetting

    def sources(self) -> list[Path]:
        """The folder."""
        return [self.source]

    def prepare(self, out: Path) -> Dataset:
        """See `prepare_mmrec`."""
        return prepare_mmrec(self.source, out, self.name)


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
