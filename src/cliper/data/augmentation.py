"""`Augmentation`: what a language model added to a dataset, beside what was observed.

It lies in files of its own (`augmented.parquet`, the column `profile` of `users.parquet`), never
among the interactions: no split, mask or metric can take a guess for something that happened.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cliper.data.interactions import Interactions
from cliper.data.readers.formats import read_parquet
from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError
from cliper.files import atomic_path
from cliper.types import IndexArray

FILE = "augmented.parquet"
_COLUMNS = ("user_id", "liked", "disliked")


@dataclass(frozen=True, eq=False)
class Augmentation:
    """Guesses about the users of one training part.

    Attributes:
        training: hash of the training pairs that the prompts were made of (`training_hash`).
        split: the kind and seed of the split that they come from, for people and messages.
        triples: int64 (T, 3), indices of a user, a liked and a disliked item.
        profiles: M descriptions of users, None where there is none.
    """

    training: str
    split: Mapping[str, Any]
    triples: IndexArray
    profiles: tuple[str | None, ...]

    def digest(self) -> bytes:
        """SHA-256 of all of it."""
        told = repr((self.training, sorted(self.split.items()), self.profiles)).encode()
        return hashlib.sha256(told + np.ascontiguousarray(self.triples).tobytes()).digest()

    def write(self, path: Path, users: Vocabulary, items: Vocabulary) -> None:
        """Write the triples into a dataset's folder, by outside ids."""
        columns = (users.array, items.array, items.array)
        table = {
            name: array.take(pa.array(self.triples[:, at]))
            for at, (name, array) in enumerate(zip(_COLUMNS, columns, strict=True))
        }
        with atomic_path(path / FILE) as temporary:
            pq.write_table(pa.table(table), temporary)


def training_hash(train: Interactions) -> str:
    """Hex SHA-256 of the pairs of a training part, in any order, and their vocabularies.

    >>> one = Vocabulary(["a"])
    >>> pair = Interactions(one, one, np.array([0]), np.array([0]))
    >>> training_hash(pair) == training_hash(pair.select(np.array([0])))
    True
    """
    digest = hashlib.sha256((train.users.hash + train.items.hash).encode())
    digest.update(np.sort(train.user_index * train.n_items + train.item_index).tobytes())
    return digest.hexdigest()


def check_training(training: str, train: Interactions, split: str = "") -> None:
    """Refuse a training part other than the one that prompts were made of.

    Args:
        training: the hash that the augmentation names.
        train: the part that is to be trained on.
        split: how to get the right one, for the message.

    Raises:
        InputError: they differ; the prompts may have told what is now tested.
    """
    if training_hash(train) != training:
        raise InputError(
            "the dataset was augmented from another training part, which may hold this one's test",
            where="split",
            remedy=split or "use the split that 'cliper augment' was given",
        )


def read_augmentation(
    path: Path, about: Mapping[str, Any], users: Vocabulary, items: Vocabulary
) -> Augmentation | None:
    """What `dataset.json` says was added, read back; None where nothing was.

    Raises:
        InputError: a file is missing, damaged, or names users or items that are not there.
    """
    said = about.get("augmentation")
    if said is None:
        return None
    where = path / FILE
    if not where.is_file():
        raise InputError("a part of the dataset is missing", where=str(where), remedy=_AGAIN)
    table, told = read_parquet(where), read_parquet(path / "users.parquet")
    if not set(_COLUMNS) <= set(table.column_names) or "profile" not in told.column_names:
        raise InputError("not what 'cliper augment' writes", where=str(where), remedy=_AGAIN)
    vocabularies = (users, items, items)
    found = [v.find(table[name]) for name, v in zip(_COLUMNS, vocabularies, strict=True)]
    triples = np.stack(found, axis=1).astype(np.int64).reshape(-1, 3)
    if (triples < 0).any():
        raise InputError(
            "users or items that the dataset does not list", where=str(where), remedy=_AGAIN
        )
    return Augmentation(
        str(said.get("training", "")),
        dict(said.get("split", {})),
        triples,
        tuple(told["profile"].to_pylist()),
    )


_AGAIN = "augment it again"
