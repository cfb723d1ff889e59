"""What is to be encoded, by content: keys of texts and pictures, and where results belong."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from cliper.data.dataset import Dataset
from cliper.encoders.encode_fill import useless_for_good
from cliper.encoders.encode_keys import image_keys
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.store import ABSENT, KEY, KeyArray, RowStore, text_keys
from cliper.errors import InputError, MismatchError
from cliper.types import JsonObject


class Views(Protocol):
    """What is read of rendered views (`cliper.views`): C names, C × N texts, None where absent."""

    @property
    def names(self) -> Sequence[str]:
        """The C view names."""
        ...

    @property
    def texts(self) -> Sequence[Sequence[str | None]]:
        """C lists of N texts."""
        ...

    @property
    def whole(self) -> Sequence[str | None]:
        """N texts of everything together (for `vanilla`)."""
        ...


GRAPHS = "graphs"
"""The folder of the store that holds exported networks."""


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


def encodings_key(digest: str, names: Sequence[str], keys: KeyArray, image: KeyArray) -> str:
    """Hex SHA-256 over encoder, view names and the content of every text and picture."""
    total = hashlib.sha256(digest.encode())
    total.update("\0".join(names).encode())
    total.update(np.ascontiguousarray(keys).tobytes())
    total.update(np.ascontiguousarray(image).tobytes())
    return total.hexdigest()


def about_encodings(
    name: str,
    digest: str,
    key: str,
    items_hash: str,
    names: Sequence[str],
    report: EncodeReport,
    source: JsonObject | None = None,
) -> dict[str, object]:
    """What `about.json` says beside the arrays.

    Args:
        name: the encoder's.
        digest: the encoder's hash: weights, tokeniser, preprocessing, precision.
        key: of these encodings.
        items_hash: of the item vocabulary.
        names: of the views.
        report: of the run that made them.
        source: where the weights came from (`TwoTowerEncoder.source`).
    """
    return {
        "encoder": name,
        "encoder_hash": digest,
        "source": source or {},
        "key": key,
        "items_hash": items_hash,
        "views": list(names),
        "failed_images": report.failed_images,
        "retrieval_recall_at_10": report.retrieval_recall_at_10,
        "retrieval_chance": report.retrieval_chance,
    }


def usable(failed: RowStore, image: KeyArray) -> KeyArray:
    """Image keys with those of useless pictures emptied."""
    return np.where(useless_for_good(failed, image), ABSENT, image).astype(KEY)


def encoded(store: RowStore, image: KeyArray) -> KeyArray:
    """Image keys with those emptied that have no row after all were tried."""
    return np.where(store.holds(image), image, ABSENT).astype(KEY)


def text_lookup(texts: Sequence[Sequence[str | None]]) -> Callable[[int], str]:
    """The text at a position of the flattened (C, N) keys."""
    n = len(texts[0]) if texts else 0

    def at(position: int) -> str:
        text = texts[position // n][position % n]
        assert text is not None
        return text

    return at


def path_lookup(paths: Sequence[Path | None]) -> Callable[[int], Path]:
    """The file at a position."""

    def at(position: int) -> Path:
        path = paths[position]
        assert path is not None
        return path

    return at


def content(
    dataset: Dataset, texts: Sequence[Sequence[str | None]]
) -> tuple[KeyArray, KeyArray, Sequence[Path | None], int]:
    """Content keys of texts (C, N) and pictures (N,), the image files, and how many are gone.

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
    keys = np.stack([text_keys(view) for view in texts])
    paths = dataset.catalogue.image_paths()
    image, gone = image_keys(paths, store_root(dataset) / "images.npy")
    return keys, image, paths, int(gone.sum())
