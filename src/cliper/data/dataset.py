"""`Dataset`: a prepared directory, loaded; the start of everything downstream."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cliper.data.augmentation import FILE as AUGMENTED
from cliper.data.augmentation import Augmentation, read_augmentation
from cliper.data.catalogue import Catalogue
from cliper.data.directory import set_aside
from cliper.data.interactions import Interactions
from cliper.data.readers.formats import read_parquet
from cliper.data.readers.times import PER_SECOND
from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError
from cliper.files import as_written, atomic_path, read_json, write_json
from cliper.notebook import html_table
from cliper.sums import SUMS, check_sums, write_sums

SCHEMA = 1
_AGAIN = "prepare it again"
_FIELD_TYPES = (pa.string(), pa.list_(pa.string()), pa.null())
"""What `prepare` writes; the last of a field that nothing has."""
MORE_IMAGES = ":more_images"
"""The reserved column; no file that people write has a name like that."""
_FILES = ("dataset.json", "interactions.parquet", "items.parquet", "users.parquet", AUGMENTED)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Interactions and (where there is one) a catalogue over the same item vocabulary.

    Attributes:
        name: for people; the directory's name by default.
        interactions: every positive, before any split.
        catalogue: None when only interactions were prepared.
        path: the directory; None for a dataset made in memory.
        given_split: 0 train, 1 valid, 2 test per interaction, when the source brought one.
        about: the rest of `dataset.json` (source, what was dropped and why, …).
        augmentation: what a language model added (`cliper augment`); None where none was asked.
    """

    name: str
    interactions: Interactions
    catalogue: Catalogue | None = None
    path: Path | None = None
    given_split: np.ndarray[Any, np.dtype[np.int8]] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Augmentation | None = None

    @classmethod
    def from_frames(
        cls, items: Any | None, interactions: Any, out: Path | str | None = None, **options: Any
    ) -> "Dataset":
        """What `cliper prepare files` makes of the same rows in files.

        Args:
            items: a catalogue of pandas, Polars or Arrow; None for interactions alone.
            interactions: a log, likewise.
            out: the dataset directory; without one the dataset is gone when Python ends.
            options: see `cliper.data.prepare_frames` (`images=…`, `min_rating=…`, `k_core=…`, …).

        Raises:
            InputError: no frames, or broken input.
        """
        from cliper.data.prepare import prepare_frames  # which needs this class

        return prepare_frames(items, interactions, out, **options)

    @property
    def users(self) -> Vocabulary:
        """The user vocabulary."""
        return self.interactions.users

    @property
    def items(self) -> Vocabulary:
        """The item vocabulary, shared by interactions and catalogue."""
        return self.interactions.items

    @property
    def times_per_second(self) -> int:
        """How many units of `interactions.timestamp` are a second, as `dataset.json` says.

        Datasets from before it said so hold seconds or milliseconds, which their size tells.
        """
        unit, times = self.about.get("time_unit"), self.interactions.timestamp
        if unit in PER_SECOND:
            return PER_SECOND[unit]
        return 1000 if times is not None and len(times) and times.max() > 10**11 else 1

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}: {', '.join(f'{n} {what}' for what, n in self._counts())})"

    def _repr_html_(self) -> str:
        fields = "" if self.catalogue is None else ", ".join(self.catalogue.fields)
        rows = [[what, n] for what, n in self._counts()]
        return html_table(["", ""], [*rows, *([["fields", fields]] if fields else [])], self.name)

    def _counts(self) -> list[tuple[str, str]]:
        found = [("users", len(self.users)), ("items", len(self.items))]
        found.append(("interactions", len(self.interactions)))
        if self.catalogue is not None:
            images = sum(name is not None for name in self.catalogue.images)
            found.append(("items with an image", images))
        return [(what, f"{n:,}") for what, n in found]

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 over vocabularies, interactions, catalogue and the features it brought.

        Prepared images are named by the hash of their bytes, so they are covered too.
        """
        digest = hashlib.sha256((self.users.hash + self.items.hash).encode())
        log = self.interactions
        for column in (log.user_index, log.item_index, log.rating, log.timestamp, self.given_split):
            digest.update(b"none" if column is None else np.ascontiguousarray(column).tobytes())
        if self.catalogue is not None:
            for name in self.catalogue.fields:
                digest.update(repr((name, self.catalogue.values(name))).encode())
            digest.update(repr(self.catalogue.images).encode())
            if self.catalogue.image_urls is not None:
                digest.update(repr(("image_urls", self.catalogue.image_urls)).encode())
            if self.catalogue.more_images is not None:
                digest.update(repr((MORE_IMAGES, self.catalogue.more_images)).encode())
        for modality, feature in sorted(self.about.get("features", {}).items()):
            digest.update(repr((modality, feature["sha256"])).encode())
        if self.augmentation is not None:
            digest.update(self.augmentation.digest())
        return digest.hexdigest()

    def check(self) -> None:
        """Compare the content with the hash that `dataset.json` has.

        `load` compares bytes; this is for datasets from before there was `SHA256SUMS`.

        Raises:
            InputError: the content has changed since it was prepared.
        """
        if self.path is None or (self.path / SUMS).is_file():
            return
        if self.about.get("hash", self.hash) != self.hash:
            raise InputError(
                "the content is not what dataset.json speaks of", where=str(self.path),
                remedy=_AGAIN,
            )  # fmt: skip

    def save(self, path: Path | str) -> "Dataset":
        """Write the directory (`dataset.json` last, so that a half-written one is no dataset)."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        log = self.interactions
        columns: dict[str, Any] = {
            "user_id": self.users.array.take(pa.array(log.user_index)),
            "item_id": self.items.array.take(pa.array(log.item_index)),
        }
        if log.rating is not None:
            columns["rating"] = log.rating
        if log.timestamp is not None:
            columns["timestamp"] = log.timestamp
        if self.given_split is not None:
            columns["split"] = self.given_split
        with atomic_path(path / "interactions.parquet") as temporary:
            pq.write_table(pa.table(columns), temporary)
        users: dict[str, Any] = {"user_id": self.users.array}
        if self.augmentation is not None:
            self.augmentation.write(path, self.users, self.items)
            users["profile"] = pa.array(self.augmentation.profiles, pa.string())
        with atomic_path(path / "users.parquet") as temporary:
            pq.write_table(pa.table(users), temporary)
        return replace(self, path=path).save_catalogue()

    def save_catalogue(self) -> "Dataset":
        """Write `items.parquet` and `dataset.json` of a dataset whose other files are in place.

        Raises:
            InputError: the dataset has no directory.
        """
        path = self.path
        if path is None:
            raise InputError("a dataset without a directory", remedy="save it as a whole")
        (path / SUMS).unlink(missing_ok=True)  # they are of what is about to change
        with atomic_path(path / "items.parquet") as temporary:
            pq.write_table(self._items_table(), temporary)
        header = {
            **self.about,
            "schema": SCHEMA,
            "name": self.name,
            "counts": {
                "users": len(self.users),
                "items": len(self.items),
                "interactions": len(self.interactions),
            },
            "has_catalogue": self.catalogue is not None,
            "hash": self.hash,
        }
        write_json(path / "dataset.json", header)
        write_sums(path, [name for name in _FILES if (path / name).is_file()])
        return Dataset.load(path)

    def _items_table(self) -> pa.Table:
        table = pa.table({"item_id": self.items.array})
        if self.catalogue is None:
            return table
        for name in self.catalogue.fields:
            table = table.append_column(name, self.catalogue.table.column(name))
        table = table.append_column("image", pa.array(self.catalogue.images, pa.string()))
        if self.catalogue.image_urls is not None:
            urls = [list(one) or None for one in self.catalogue.image_urls]
            table = table.append_column("image_urls", pa.array(urls, pa.list_(pa.string())))
        if self.catalogue.more_images is not None:
            more = [list(one) or None for one in self.catalogue.more_images]
            table = table.append_column(MORE_IMAGES, pa.array(more, pa.list_(pa.string())))
        return table

    @classmethod
    def load(cls, path: Path | str) -> "Dataset":
        """Read a prepared directory.

        Raises:
            InputError: there is no dataset there, its schema is from another version, or one of
                its files is missing, holds other bytes than were written, or does not fit the
                others.
        """
        path = Path(path)
        if not (path / "dataset.json").is_file():
            aside = set_aside(path)
            what = f"; an earlier one was set aside in {aside[0]}" if aside else ""
            raise InputError(
                f"not a dataset directory (no dataset.json){what}",
                where=str(path),
                remedy="the next 'cliper prepare' into it puts that back"
                if aside
                else "make one with 'cliper prepare files --out …'",
            )
        check_sums(path, *_FILES, remedy=_AGAIN)
        about = read_json(path / "dataset.json")
        schema = about.get("schema") if isinstance(about, dict) else None
        if schema != SCHEMA:
            raise InputError(
                f"dataset schema {schema!r}, this version reads {SCHEMA}",
                where=str(path / "dataset.json"),
                remedy=_AGAIN,
            )
        with as_written(path, _AGAIN):
            return cls._of_parts(path, about)

    @classmethod
    def _of_parts(cls, path: Path, about: dict[str, Any]) -> "Dataset":
        """What the files beside `dataset.json` hold."""
        users = Vocabulary(_read(path / "users.parquet", "user_id")["user_id"].combine_chunks())
        table = _read(path / "items.parquet", "item_id")
        items = Vocabulary(table["item_id"].combine_chunks())
        log = _read(path / "interactions.parquet", "user_id", "item_id")
        names = log.column_names
        user_index, item_index = users.find(log["user_id"]), items.find(log["item_id"])
        if (user_index < 0).any() or (item_index < 0).any():
            raise InputError(
                "interactions of users or items that the dataset does not list",
                where=str(path / "interactions.parquet"),
                remedy=_AGAIN,
            )
        interactions = Interactions(
            users,
            items,
            user_index,
            item_index,
            np.asarray(log["rating"].cast(pa.float32())) if "rating" in names else None,
            np.asarray(log["timestamp"].cast(pa.int64())) if "timestamp" in names else None,
        )
        catalogue = None
        if about.get("has_catalogue"):
            if "image" not in table.column_names:
                where = str(path / "items.parquet")
                what = "no column 'image': this is no catalogue"
                raise InputError(what, where=where, remedy=_AGAIN)
            own = ("item_id", "image", "image_urls", MORE_IMAGES)
            reserved = [name for name in own if name in table.column_names]
            fields = table.drop_columns(reserved)
            for column in fields.schema:
                if column.type not in _FIELD_TYPES:
                    what = f"the field {column.name!r} holds {column.type}"
                    raise InputError(what, where=str(path / "items.parquet"), remedy=_AGAIN)
            catalogue = Catalogue(
                items,
                fields,
                tuple(table["image"].to_pylist()),
                path,
                _lists(table, "image_urls", path / "items.parquet"),
                _lists(table, MORE_IMAGES, path / "items.parquet"),
            )
        given = np.asarray(log["split"].cast(pa.int8())) if "split" in names else None
        augmentation = read_augmentation(path, about, users, items)
        name = about.get("name", path.name)
        return cls(name, interactions, catalogue, path, given, about, augmentation)


def _lists(table: pa.Table, name: str, where: Path) -> tuple[tuple[str, ...], ...] | None:
    """A reserved column of lists, if it is there."""
    if name not in table.column_names:
        return None
    column = table[name]
    if column.type != pa.list_(pa.string()):
        raise InputError(
            f"the column {name!r} holds {column.type}", where=str(where), remedy=_AGAIN
        )
    return tuple(tuple(filter(None, one or ())) for one in column.to_pylist())


def _read(path: Path, *needed: str) -> pa.Table:
    """A Parquet file of the dataset, with the columns that it must have."""
    if not path.is_file():
        raise InputError("a part of the dataset is missing", where=str(path), remedy=_AGAIN)
    table = read_parquet(path)
    for name in needed:
        if name not in table.column_names:
            raise InputError(f"no column {name!r}", where=str(path), remedy=_AGAIN)
        if not pa.types.is_string(table[name].type) or table[name].null_count:
            what = f"the column {name!r} does not hold an id a row"
            raise InputError(what, where=str(path), remedy=_AGAIN)
    return table
