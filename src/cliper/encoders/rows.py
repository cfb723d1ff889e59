"""`StoredRows`: an encoder over the row stores that it fills."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from cliper.encoders.base import DualEncoder
from cliper.encoders.content import Content, encoder_folder
from cliper.encoders.encode_fill import count_failures, fill_images, fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.images import ImageFailure
from cliper.encoders.store import ABSENT, KEY, RowStore
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
        rows.image_rows, rows.failed, content.image, content.path_at, rows.encode_image, report
    )
    count_failures(rows.image_rows, rows.failed, content.image, report)
    report.images_at_once, report.tokens_at_once = rows.batch_sizes
    return stored(rows, content)


def stored(rows: StoredRows, content: Content) -> Content:
    """The content without the pictures that have no row."""
    kept = np.where(rows.image_rows.holds(content.image), content.image, ABSENT)
    return replace(content, image=kept.astype(KEY))


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
