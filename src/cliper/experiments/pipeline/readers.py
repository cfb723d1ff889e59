"""`prepare:` of an experiment file: one reader with its options, as in `cliper prepare`."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

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
    """A reader's options are the arguments of the function that prepares, which also takes `out`.

    Attributes:
        prepared_by: that function.
    """

    prepared_by: ClassVar[Callable[..., Dataset]]

    name: str | None = Field(None, min_length=1, description="for people; the directory's")

    def sources(self) -> list[Path]:
        """Local files and folders whose change is a reason to prepare again."""
        options = ("items", "interactions", "source", "images")
        named = (getattr(self, option, None) for option in options)
        return [path for path in named if isinstance(path, Path)]

    def prepare(self, out: Path) -> None:
        """Write the dataset directory."""
        options = {option: getattr(self, option) for option in type(self).model_fields}
        type(self).prepared_by(out=out, **options)


class _Filtered(Reader):
    images: PathSetting | None = None
    k_core: int = Field(5, ge=0)
    keep_unbought: bool = False


class FilesReader(_Filtered):
    """See `prepare_files`."""

    prepared_by = prepare_files

    interactions: PathSetting
    items: PathSetting | None = None
    min_rating: float | None = None

    @model_validator(mode="after")
    def _has_catalogue(self) -> "FilesReader":
        """Images and unbought items need one."""
        if self.items is None and (self.images is not None or self.keep_unbought):
            where = "images" if self.images is not None else "keep_unbought"
            raise InputError(
                "has no effect without a catalogue",
                where=f"prepare.files.{where}",
                remedy="name items, or leave it out",
            )
        return self


class AmazonReader(_Filtered):
    """See `prepare_amazon`. Nothing is watched behind an address."""

    prepared_by = prepare_amazon

    year: Year
    category: str
    source: str = Field(description="a folder, or the address of one")
    log: LogKind | None = None
    downloads: PathSetting | None = None
    max_download: float = Field(64.0, gt=0, description="GiB; larger files are not fetched")
    min_rating: float | None = None

    @property
    def _is_address(self) -> bool:
        return self.source.lower().startswith(("http://", "https://"))

    @model_validator(mode="after")
    def _official(self) -> "AmazonReader":
        """An official category; a folder may hold others, which preparing finds out."""
        if self._is_address:
            release(self.year).category(self.category)
        elif {"downloads", "max_download"} & self.model_fields_set:
            where = "downloads" if self.downloads is not None else "max_download"
            raise InputError(
                "has no effect on files in a folder",
                where=f"prepare.amazon.{where}",
                remedy="leave it out, or give an address as source",
            )
        return self

    def sources(self) -> list[Path]:
        """The folder, and pictures beside it."""
        return [*([] if self._is_address else [Path(self.source)]), *super().sources()]

    def prepare(self, out: Path) -> None:
        """Write the dataset directory; the limit is in bytes there."""
        options = {option: getattr(self, option) for option in type(self).model_fields}
        limit = int(options.pop("max_download") * 2**30)
        prepare_amazon(out=out, max_bytes=limit, **options)


class MovieLensReader(_Filtered):
    """See `prepare_movielens`."""

    prepared_by = prepare_movielens

    source: PathSetting
    min_rating: float | None = None


class MicroLensReader(_Filtered):
    """See `prepare_microlens`."""

    prepared_by = prepare_microlens

    source: PathSetting


class MMRecReader(Reader):
    """See `prepare_mmrec`."""

    prepared_by = prepare_mmrec

    source: PathSetting


class PrepareSection(StrictConfig):
    """Exactly one reader."""

    files: FilesReader | None = None
    amazon: AmazonReader | None = None
    movielens: MovieLensReader | None = None
    microlens: MicroLensReader | None = None
    mmrec: MMRecReader | None = None

    @model_validator(mode="after")
    def _one(self) -> "PrepareSection":
        if [getattr(self, name) is None for name in self.model_fields_set] != [False]:
            raise InputError(
                "one reader is needed",
                where="prepare",
                remedy="files, amazon, movielens, microlens or mmrec",
            )
        return self

    @property
    def reader(self) -> Reader:
        """The one that is named."""
        (name,) = self.model_fields_set
        reader: Reader = getattr(self, name)
        return reader
