"""A dataset through a dual encoder that stands on its own (CLIP and its relatives)."""

from collections.abc import Sequence
from pathlib import Path

from cliper.encoders.assembled import assemble
from cliper.encoders.base import DualEncoder
from cliper.encoders.encode_content import (
    Views,
    about_encodings,
    encoded,
    encoder_folder,
    encodings_key,
    path_lookup,
    text_lookup,
    usable,
)
from cliper.encoders.encode_fill import count_failures, fill_images, fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.images import ImageFailure
from cliper.encoders.store import KeyArray, RowStore
from cliper.types import FloatArray


def encode_dual(
    encoder: DualEncoder,
    root: Path,
    items_hash: str,
    views: Views,
    keys: KeyArray,
    image: KeyArray,
    paths: Sequence[Path | None],
    report: EncodeReport,
) -> Path:
    """Fill an encoder's stores and assemble one set of encodings; returns its folder.

    Args:
        encoder: any dual encoder that stands on its own (not `embedded`).
        root: the store.
        items_hash: of the item vocabulary.
        views: the rendered views.
        keys: (C, N) content keys of the texts.
        image: (N,) content keys of the pictures.
        paths: (N,) image files.
        report: filled.
    """
    rows = DualRows(root, encoder)
    fill_texts(rows.text_rows, keys.ravel(), text_lookup(views.texts), rows.encode_text, report)
    report.truncated_texts += rows.truncated
    fill_images(rows.image_rows, rows.failed, image, path_lookup(paths), rows.encode_image, report)
    count_failures(rows.image_rows, rows.failed, image, report)
    report.images_at_once, report.tokens_at_once = getattr(encoder, "batch_sizes", (None, None))
    image = encoded(rows.image_rows, image)
    key = encodings_key(encoder.hash, views.names, keys, image)
    source = getattr(encoder, "source", None)
    about = about_encodings(
        encoder.name, encoder.hash, key, items_hash, views.names, report, source
    )
    folder = rows.folder / key[:16]
    text = (rows.text_rows, keys, _as_they_are)
    assemble(folder, text, (rows.image_rows, image, _as_they_are), encoder.width, about)
    return folder


def find_dual(
    root: Path, encoder: DualEncoder, names: Sequence[str], keys: KeyArray, image: KeyArray
) -> Path:
    """Where `encode_dual` would have put exactly this content."""
    folder = encoder_folder(root, encoder.name, encoder.hash)
    image = usable(RowStore(folder / "failed", 1), image)
    return folder / encodings_key(encoder.hash, names, keys, image)[:16]


def _as_they_are(rows: FloatArray) -> FloatArray:
    return rows


class DualRows:
    """A dual encoder with its row stores; what `Unimodal` is for the packaged networks.

    Args:
        root: the store.
        encoder: any dual encoder.

    Attributes:
        folder: of this encoder in the store.
        text_rows, image_rows: its rows by content.
        failed: pictures that cannot be used.
        truncated: texts that lost their end, of those encoded through this object.
    """

    def __init__(self, root: Path, encoder: DualEncoder) -> None:
        self.encoder = encoder
        self.folder = encoder_folder(root, encoder.name, encoder.hash)
        self.text_rows = RowStore(self.folder / "text", encoder.width)
        self.image_rows = RowStore(self.folder / "image", encoder.width)
        self.failed = RowStore(self.folder / "failed", 1)
        self.truncated = 0

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
