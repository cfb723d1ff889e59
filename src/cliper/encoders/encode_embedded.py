"""A dataset through `embedded`: unimodal rows first, then the fit, then both projected."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cliper.encoders.alignment import Alignment, AlignmentConfig
from cliper.encoders.alignment_fit import RECIPE, fit_alignment
from cliper.encoders.assembled import assemble
from cliper.encoders.embedded import embedded_hash
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
from cliper.encoders.pairs import choose_pairs
from cliper.encoders.runtime.batching import BatchSize
from cliper.encoders.store import ABSENT, KeyArray
from cliper.encoders.unimodal import Unimodal
from cliper.errors import InputError


def encode_embedded(
    root: Path,
    items_hash: str,
    views: Views,
    keys: KeyArray,
    image: KeyArray,
    paths: Sequence[Path | None],
    report: EncodeReport,
    *,
    device: str,
    dtype: str,
    batch_size: BatchSize,
    seed: int,
    config: AlignmentConfig | None = None,
) -> Path:
    """Encode unimodally, fit the alignment unless it is stored, assemble; returns the folder.

    The unimodal rows are kept, so a new seed or one changed template costs little; the pictures'
    rows are shared with `vanilla`. Arguments as in `encode_dual`.
    """
    config = config or AlignmentConfig()
    both = Unimodal(root, device, dtype, batch_size)
    fill_texts(both.text_rows, keys.ravel(), text_lookup(views.texts), both.encode_text, report)
    report.truncated_texts += both.truncated
    fill_images(
        both.image_rows, both.failed, image, path_lookup(paths), both.image.encode_image, report
    )
    count_failures(both.image_rows, both.failed, image, report)
    report.images_at_once, report.tokens_at_once = both.batch_sizes
    image = encoded(both.image_rows, image)
    folder = _fit_folder(root, both, views.names, keys, image, seed, config)
    path = folder / "alignment.safetensors"
    if path.is_file():
        alignment = Alignment.load(path)
    else:
        alignment = _fit(both, keys, image, seed, config)
        alignment.save(path)
    report.retrieval_recall_at_10 = alignment.score.recall_at_10
    report.retrieval_chance = alignment.score.chance
    digest = embedded_hash(both.text, both.image, alignment)
    key = encodings_key(digest, views.names, keys, image)
    assemble(
        folder / "encodings",
        (both.text_rows, keys, alignment.project_text),
        (both.image_rows, image, alignment.project_image),
        alignment.width,
        about_encodings("embedded", digest, key, items_hash, views.names, report),
    )
    return folder / "encodings"


def refuse_weights(weights: Path | None) -> None:
    """`embedded` brings its own weights; others are an `InputError`."""
    if weights is not None:
        raise InputError(
            "'embedded' brings its own weights",
            where="encoder.weights",
            remedy="name the encoder that they belong to, or leave them out",
        )


def find_embedded(
    root: Path, names: Sequence[str], keys: KeyArray, image: KeyArray, *, dtype: str, seed: int
) -> Path:
    """Where `encode_embedded` would have put exactly this content."""
    both = Unimodal(root, "cpu", dtype)
    image = usable(both.failed, image)
    return _fit_folder(root, both, names, keys, image, seed, AlignmentConfig()) / "encodings"


def _fit_folder(
    root: Path,
    both: Unimodal,
    names: Sequence[str],
    keys: KeyArray,
    image: KeyArray,
    seed: int,
    config: AlignmentConfig,
) -> Path:
    """Named by all that decides the fit: networks, content, recipe and seed."""
    settings = f"{RECIPE}; {config.model_dump_json()}; {seed}; {both.text.hash}; {both.image.hash}"
    digest = hashlib.sha256(settings.encode())
    digest.update(encodings_key("", names, keys, image).encode())
    return encoder_folder(root, "embedded", digest.hexdigest())


def _fit(
    both: Unimodal, keys: KeyArray, image: KeyArray, seed: int, config: AlignmentConfig
) -> Alignment:
    present = keys != ABSENT
    rows = choose_pairs(present, image != ABSENT, config.max_items, seed)
    text = np.stack([both.text_rows.read(view[rows]) for view in keys])
    groups = np.unique(keys[:, rows], return_inverse=True)[1].reshape(len(keys), len(rows))
    return fit_alignment(
        text, present[:, rows], both.image_rows.read(image[rows]),
        groups=groups, seed=seed, config=config,
    )  # fmt: skip
