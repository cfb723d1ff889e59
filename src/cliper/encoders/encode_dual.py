"""A dataset through a dual encoder that stands on its own (CLIP and its relatives)."""

from collections.abc import Sequence
from pathlib import Path

from cliper.encoders.assembled import assemble
from cliper.encoders.base import DualEncoder
from cliper.encoders.encode_content import (
    Views,
    about_encodings,
    encoder_folder,
    encodings_key,
    path_lookup,
    text_lookup,
    usable,
)
from cliper.encoders.encode_fill import ImageEncoder, count_failures, fill_images, fill_texts
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
    folder = encoder_folder(root, encoder.name, encoder.hash)
    text_store = RowStore(folder / "text", encoder.width)
    image_store, failed = RowStore(folder / "image", encoder.width), RowStore(folder / "failed", 1)
    before = _truncated(encoder)
    fill_texts(text_store, keys.ravel(), text_lookup(views.texts), encoder.encode_text, report)
    report.truncated_texts += _truncated(encoder) - before
    fill_images(image_store, failed, image, path_lookup(paths), _with_failures(encoder), report)
    count_failures(failed, image, report)
    image = usable(failed, image)
    key = encodings_key(encoder.hash, views.names, keys, image)
    source = getattr(encoder, "source", None)
    about = about_encodings(
        encoder.name, encoder.hash, key, items_hash, views.names, report, source
    )
    rows = ((text_store, keys, _as_they_are), (image_store, image, _as_they_are))
    assemble(folder / key[:16], *rows, encoder.width, about)
    return folder / key[:16]


def find_dual(
    root: Path, encoder: DualEncoder, names: Sequence[str], keys: KeyArray, image: KeyArray
) -> Path:
    """Where `encode_dual` would have put exactly this content."""
    folder = encoder_folder(root, encoder.name, encoder.hash)
    image = usable(RowStore(folder / "failed", 1), image)
    return folder / encodings_key(encoder.hash, names, keys, image)[:16]


def _as_they_are(rows: FloatArray) -> FloatArray:
    return rows


def _truncated(encoder: DualEncoder) -> int:
    counts = getattr(encoder, "text_counts", None)
    return 0 if counts is None else int(counts.truncated)


def _with_failures(encoder: DualEncoder) -> ImageEncoder:
    def encode(paths: Sequence[Path]) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
        rows = encoder.encode_image(paths)
        return rows, tuple(getattr(encoder, "image_failures", ()))

    return encode
