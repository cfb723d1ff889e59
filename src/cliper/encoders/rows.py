"""`StoredRows`: an encoder over the row stores that it fills."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from cliper.encoders.base import DualEncoder
from cliper.encoders.content import Content, encoder_folder
from cliper.encoders.encode_fill import IMAGE_CHUNK, count_failures, fill_images, fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.images import ImageFailure
from cliper.encoders.store import ABSENT, KEY, KeyArray, RowStore, content_key
from cliper.files import sweep
from cliper.types import FloatArray


class StoredRows(Protocol):
    """What turns texts and pictures into rows, with the stores that keep them by content.

    Attributes:
        text_rows, image_rows: the rows.
        failed: pictures that cannot be used.
        truncated: texts that lost their end, of those encoded through this object.
    """

    text_rows: RowStore
    image_rows: RowStore
    failed: RowStore
    truncated: int

    @property
    def batch_sizes(self) -> tuple[int | None, int | None]:
        """Pictures and tokens of texts at once; None for what has not been encoded."""
        ...

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Rows (n, D) of texts."""
        ...

    def encode_image(self, paths: Sequence[Path]) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
        """Rows (n, D) of pictures, NaN where one failed, and the failures."""
        ...


def fill(rows: StoredRows, content: Content, report: EncodeReport) -> Content:
    """Encode what the stores lack; returns the content without the pictures that have no row."""
    for store in (rows.text_rows, rows.image_rows, rows.failed):
        sweep(store.folder)
    fill_texts(rows.text_rows, content.keys.ravel(), content.text_at, rows.encode_text, report)
    report.truncated_texts += rows.truncated
    fill_images(
        rows.image_rows, rows.failed, content.pictures, content.path_at, rows.encode_image, report
    )
    count_failures(rows.image_rows, rows.failed, content.pictures, report)
    report.images_at_once, report.tokens_at_once = rows.batch_sizes
    _fill_means(rows.image_rows, content)
    return stored(rows, content)


def stored(rows: StoredRows, content: Content) -> Content:
    """The content without the pictures that have no row.

    An item with several has the key of their mean, which the store holds like any picture.
    """
    kept = np.where(rows.image_rows.holds(content.image), content.image, ABSENT).astype(KEY)
    for item, (key, _) in _several(rows.image_rows, content).items():
        kept[item] = key
    return replace(content, image=kept, more=content.more[:0], owner=content.owner[:0])


def mean_row(rows: FloatArray) -> FloatArray:
    """The mean (D,) of k rows (k, D): that of their directions, with their mean length.

    Of unit rows it is their mean, made a unit again.

    >>> mean_row(np.array([[4.0, 0.0], [2.0, 0.0]])).tolist()
    [3.0, 0.0]
    """
    rows = rows.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    direction = (rows / np.maximum(lengths, 1e-12)).mean(axis=0)
    size = max(float(np.linalg.norm(direction)), 1e-12)
    return np.asarray(direction / size * lengths.mean(), dtype=np.float32)


def _fill_means(store: RowStore, content: Content) -> None:
    """Store the mean of each item's pictures, where it has several."""
    means = dict(_several(store, content).values())
    keys = np.array([*means], KEY)
    keys = keys[~store.holds(keys)]
    for start in range(0, len(keys), IMAGE_CHUNK):
        block = keys[start : start + IMAGE_CHUNK]
        sets = [means[key] for key in block.tolist()]
        rows = np.split(store.read(np.concatenate(sets)), np.cumsum([len(s) for s in sets[:-1]]))
        store.append(block, np.stack([mean_row(part) for part in rows]))


def _several(store: RowStore, content: Content) -> dict[int, tuple[bytes, KeyArray]]:
    """Item → the key that represents it, and its pictures' (k,), where it has further ones.

    One picture that is left of several represents its item alone.
    """
    further: dict[int, list[bytes]] = {}
    for item, key in zip(content.owner.tolist(), content.more.tolist(), strict=True):
        further.setdefault(item, []).append(key)
    found = {}
    for item, keys in further.items():
        pictures = np.unique(np.array([content.image[item], *keys], KEY))  # in any order the same
        pictures = pictures[store.holds(pictures)]
        if len(pictures):
            mean = content_key(b"mean" + b"".join(pictures.tolist()))
            found[item] = (mean if len(pictures) > 1 else pictures.tolist()[0], pictures)
    return found


class DualRows:
    """The `StoredRows` of a dual encoder; see there for what is not said here.

    Args:
        root: the store.
        encoder: any dual encoder.

    Attributes:
        folder: of this encoder in the store.
    """

    def __init__(self, root: Path, encoder: DualEncoder) -> None:
        self.encoder = encoder
        self.folder = encoder_folder(root, encoder.name, encoder.hash)
        self.text_rows = RowStore(self.folder / "text", encoder.width)
        self.image_rows = RowStore(self.folder / "image", encoder.width)
        self.failed = RowStore(self.folder / "failed", 1)
        self.truncated = 0

    @property
    def batch_sizes(self) -> tuple[int | None, int | None]:
        """Of the encoder, where it tells."""
        sizes: tuple[int | None, int | None] = getattr(self.encoder, "batch_sizes", (None, None))
        return sizes

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Rows (n, D) of texts, counting what was truncated."""
        before = self._cut()
        rows = self.encoder.encode_text(texts)
        self.truncated += self._cut() - before
        return rows

    def encode_image(self, paths: Sequence[Path]) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
        """Rows (n, D) of pictures, NaN where one failed, and the failures."""
        rows = self.encoder.encode_image(paths)
        return rows, tuple(getattr(self.encoder, "image_failures", ()))

    def _cut(self) -> int:
        counts = getattr(self.encoder, "text_counts", None)
        return 0 if counts is None else int(counts.truncated)
