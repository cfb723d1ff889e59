"""A dataset through an encoder that is adapted to it, of either kind."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cliper.encoders.adaptation.config import AdaptationConfig
from cliper.encoders.adaptation.content import Content, adaptation_folder
from cliper.encoders.adaptation.encode_lora import (
    LORA_FILE,
    MakeEncoder,
    lora_encoder,
)
from cliper.encoders.adaptation.encode_projected import encode_projected, find_projected
from cliper.encoders.assembled import load_assembled
from cliper.encoders.encode_content import Views, encoder_folder, usable
from cliper.encoders.encode_dual import encode_dual, find_dual
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.store import ABSENT, KEY, KeyArray, RowStore
from cliper.types import BoolArray


def encode_adapted(
    make: MakeEncoder,
    dtype: str,
    root: Path,
    items_hash: str,
    views: Views,
    keys: KeyArray,
    image: KeyArray,
    paths: Sequence[Path | None],
    config: AdaptationConfig,
    report: EncodeReport,
    *,
    device: str,
    fit_on: BoolArray | None = None,
) -> Path:
    """Fit the adaptation unless it is stored, encode with it; returns the encodings' folder.

    Args:
        make: makes the encoder that is adapted, in a given dtype.
        dtype: of the adapted encoder.
        device: where a projection is trained.
        config: how to train.
        fit_on: bool (N,), items that the fit may see; all if None.
        root, items_hash, views, keys, image, paths, report: see `encode_dual`.
    """
    names = tuple(views.names)
    if config.kind == "lora":
        content = Content(names, keys, image)
        encoder, adaptation, folder = lora_encoder(
            make, dtype, root, content, views.texts, paths, config, fit_on
        )
        report.encoder, report.adaptation, report.adaptation_folder = (
            encoder.name, adaptation, folder,
        )  # fmt: skip
        return encode_dual(encoder, folder, items_hash, views, keys, image, paths, report)
    base = make(dtype)
    stored = encode_dual(base, root, items_hash, views, keys, image, paths, report)
    present = load_assembled(stored).image_present
    content = Content(names, keys, np.where(present, image, ABSENT).astype(KEY))
    return encode_projected(
        base, root, items_hash, content, config, report, device=device, fit_on=fit_on
    )


def find_adapted(
    make: MakeEncoder,
    dtype: str,
    root: Path,
    views: Views,
    keys: KeyArray,
    image: KeyArray,
    paths: Sequence[Path | None],
    config: AdaptationConfig,
    fit_on: BoolArray | None = None,
) -> Path:
    """Where `encode_adapted` put exactly this content; a folder that is not there if nowhere."""
    base = make(dtype)
    names = tuple(views.names)
    if config.kind == "projection":
        failed = RowStore(encoder_folder(root, base.name, base.hash) / "failed", 1)
        content = Content(names, keys, usable(failed, image))
        return find_projected(root, base, content, config, fit_on)
    content = Content(names, keys, image)
    folder = adaptation_folder(root, base.name, content.key(base.hash), config, fit_on)
    if not (folder / LORA_FILE).is_file():
        return folder / "none"
    encoder, _, _ = lora_encoder(make, dtype, root, content, views.texts, paths, config, fit_on)
    return find_dual(folder, encoder, views.names, keys, image)
