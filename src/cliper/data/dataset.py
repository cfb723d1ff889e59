"""`Dataset`: a prepared directory, loaded; the start of everything downstream."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cliper.data.catalogue import Catalogue
from cliper.data.interactions import Interactions
from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError
from cliper.files import atomic_path, read_json, write_json

SCHEMA = 1


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
    """

    name: str
    interactions: Interactions
    catalogue: Catalogue | None = None
    path: Path | None = None
    given_split: np.ndarray[Any, np.dtype[np.int8]] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def users(self) -> Vocabulary:
        """The user vocabulary."""
        return self.interactions.users

    @property
    def items(self) -> Vocabulary:
        """The item vocabulary, shared by interactions and catalogue."""
        return self.interactions.items

    @property
    def hash(self) -> str:
        """Hex SHA-256 over both vocabularies, every interaction and the catalogue's content."""
        digest = hashlib.sha256((self.users.hash + self.items.hash).encode())
        log = self.interactions
        for column in (log.user_index, log.item_index, log.rating, log.timestamp, self.given_split):
            digest.update(b"none" if column is None else np.ascontiguousarray(column).tobytes())
        if self.catalogue is not None:
            for name in self.catalogue.fields:
                digest.update(repr((name, self.catalogue.values(name))).encode())
            digest.update(repr(self.catalogue.images).encode())
        return digest.hexdigest()

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
        with atomic_path(path / "users.parquet") as temporary:
            pq.write_table(pa.table({"user_id": self.users.array}), temporary)
        table = pa.table({"item_id": self.items.array})
        if self.catalogue is not None:
            for name in self.catalogue.fields:
                table = table.append_column(name, self.catalogue.table.column(name))
            table = table.append_column("image", pa.array(self.catalogue.images, pa.string()))
        with atomic_path(path / "items.parquet") as temporary:
            pq.write_table(table, temporary)
        header = {
            **self.about,
            "schema": SCHEMA,
            "name": self.name,
            "counts": {
                "users": len(self.users),
                "items": len(self.items),
                "interactions": len(log),
            },
            "has_catalogue": self.catalogue is not None,
            "hash": self.hash,
        }
        write_json(path / "dataset.json", header)
        return Dataset.load(path)

    @classmethod
    def load(cls, path: Path | str) -> "Dataset":
        """Read a prepared directory.

        Raises:
            InputError: there is no dataset there, or its schema is from another version.
        """
        path = Path(path)
        if not (path / "dataset.json").is_file():
            raise InputError(
                "not a dataset directory (no dataset.json)",
                where=str(path),
                remedy="make one with 'cliper prepare files --out …'",
            )
        about = read_json(path / "dataset.json")
        if about.get("schema") != SCHEMA:
            raise InputError(
                f"dataset schema {about.get('schema')!r}, this version reads {SCHEMA}",
                where=str(path / "dataset.json"),
                remedy="prepare it again",
            )
        users = Vocabulary(pq.read_table(path / "users.parquet")["user_id"].combine_chunks())
        table = pq.read_table(path / "items.parquet")
        items = Vocabulary(table["item_id"].combine_chunks())
        log = pq.read_table(path / "interactions.parquet")
        names = log.column_names
        interactions = Interactions(
            users,
            items,
            users.find(log["user_id"]),
            items.find(log["item_id"]),
            np.asarray(log["rating"], dtype=np.float32) if "rating" in names else None,
            np.asarray(log["timestamp"], dtype=np.int64) if "timestamp" in names else None,
        )
        catalogue = None
        if about["has_catalogue"]:
            catalogue = Catalogue(
                items,
                table.drop_columns(["item_id", "image"]),
                tuple(table["image"].to_pylist()),
                path,
            )
        given = np.asarray(log["split"], dtype=np.int8) if "split" in names else None
        return cls(about["name"], interactions, catalogue, path, given, about)
