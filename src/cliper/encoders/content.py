"""`Content`: what is to be encoded, by content, and where the results belong."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cliper.data.dataset import Dataset
from cliper.encoders.encode_keys import image_keys
from cliper.encoders.store import KEY, KeyArray, text_keys
from cliper.errors import InputError, MismatchError
from cliper.types import IndexArray

GRAPHS = "graphs"
"""The folder of the store that holds exported networks."""


@dataclass(frozen=True, eq=False)
class Content:
    """A catalogue's texts and pictures with their keys.

    Attributes:
        root: the dataset's encoding store.
        items_hash: of the item vocabulary.
        names: the C views.
        texts: C × N, None where an item has none.
        keys: of the texts (C, N), empty where there is none.
        paths: (N,) image files; behind them (E,) further ones of items that have several.
        image: keys (N,), empty where there is no picture or one that cannot be used.
        gone: pictures that are named but not there.
        more: keys (E,) of the further pictures.
        owner: (E,) whose they are.
    """

    root: Path
    items_hash: str
    names: tuple[str, ...]
    texts: Sequence[Sequence[str | None]]
    keys: KeyArray
    paths: Sequence[Path | None]
    image: KeyArray
    gone: int
    more: KeyArray = field(default_factory=lambda: np.empty(0, KEY))
    owner: IndexArray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def pictures(self) -> KeyArray:
        """Keys (N + E,) of everything that is to be encoded."""
        return np.concatenate([self.image, self.more])

    @classmethod
    def of(
        cls, dataset: Dataset, names: Sequence[str], texts: Sequence[Sequence[str | None]]
    ) -> "Content":
        """Hash texts, and the pictures that are not known by path, size and time of change.

        Raises:
            InputError: the dataset has no catalogue or no directory.
            MismatchError: the texts are another catalogue's.
        """
        if dataset.catalogue is None:
            raise InputError(
                f"the dataset {dataset.name!r} has no catalogue, there is nothing to encode",
                remedy="prepare it with --items",
            )
        if any(len(view) != len(dataset.items) for view in texts):
            raise MismatchError("these views belong to another catalogue")
        root = store_root(dataset)
        keys = np.stack([text_keys(view) for view in texts])
        paths, n = dataset.catalogue.all_image_paths(), len(dataset.items)
        image, gone = image_keys(paths, root / "images.npy")
        further = dataset.catalogue.more_images or ()
        owner = np.repeat(np.arange(len(further)), [len(one) for one in further])
        return cls(
            root, dataset.items.hash, tuple(names), texts, keys, paths, image[:n], int(gone.sum()),
            image[n:], owner.astype(np.int64),
        )  # fmt: skip

    def key(self, digest: str) -> str:
        """Hex SHA-256 over an encoder's hash, view names and every text and picture."""
        total = hashlib.sha256(digest.encode())
        total.update("\0".join(self.names).encode())
        total.update(np.ascontiguousarray(self.keys).tobytes())
        total.update(np.ascontiguousarray(self.image).tobytes())
        total.update(np.ascontiguousarray(self.more).tobytes())
        return total.hexdigest()

    def groups(self, rows: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Numbers (C, n) and (n,) of the items at `rows` (n,): equal where content is."""
        texts = np.unique(self.keys[:, rows], return_inverse=True)[1]
        pictures = np.unique(self.image[rows], return_inverse=True)[1]
        return texts.reshape(len(self.keys), len(rows)), pictures

    def text_at(self, position: int) -> str:
        """The text at a position of the flattened keys."""
        view, item = divmod(position, int(self.keys.shape[1]))
        text = self.texts[view][item]
        assert text is not None
        return text

    def path_at(self, position: int) -> Path:
        """The image file at a position of `pictures`."""
        path = self.paths[position]
        assert path is not None
        return path


def store_root(dataset: Dataset) -> Path:
    """The dataset's encoding store.

    Raises:
        InputError: the dataset has no directory.
    """
    if dataset.path is None:
        raise InputError(
            "a dataset without a directory has no encoding store", remedy="save it first"
        )
    return dataset.path / "encodings"


def encoder_folder(root: Path, name: str, digest: str) -> Path:
    """The folder of one encoder, its weights and preprocessing."""
    safe = "".join(c if c.isalnum() or c in "-._" else "-" for c in name)
    return root / f"{safe}-{digest[:16]}"
