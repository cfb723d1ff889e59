"""The encoder of a dataset as it was fitted there, for items that came later."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from cliper.data.dataset import Dataset
from cliper.encoders.base import DualEncoder, Encodings
from cliper.encoders.catalogue_encoder import CatalogueEncoder
from cliper.encoders.content import GRAPHS, Content
from cliper.encoders.registry import open_encoder
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError
from cliper.types import BoolArray, FloatArray
from cliper.views import RenderedViews

T = TypeVar("T", str, Path)


def fitted_encoder(
    dataset: Dataset, views: RenderedViews, settings: EncoderSettings
) -> DualEncoder:
    """What `encode_dataset` encoded these views with; nothing is fitted.

    Args:
        dataset: whose store holds the fit.
        views: as they were rendered then.
        settings: as they were then.

    Raises:
        InputError: the store does not hold the fit, or the encoder was adapted.
    """
    content = Content.of(dataset, views.names, views.texts)
    graphs = settings.graphs or content.root / GRAPHS
    encoder = open_encoder(settings.model_copy(update={"graphs": graphs}))
    return encoder.fitted(content) if isinstance(encoder, CatalogueEncoder) else encoder


def encode_items(
    encoder: DualEncoder, views: RenderedViews, images: Sequence[Path | None], ids: Sequence[str]
) -> Encodings:
    """Views and pictures of n items in an encoder's space, kept nowhere.

    Args:
        encoder: as `fitted_encoder` gives it.
        views: C views of the n items.
        images: (n,) files, None where there is none.
        ids: of the items, to name one whose picture cannot be used.

    Raises:
        InputError: a picture cannot be used.
    """
    flat = [text for view in views.texts for text in view]
    text, text_present = encode_some(encoder.encode_text, encoder.width, flat)
    image, image_present = encode_some(encoder.encode_image, encoder.width, images, ids)
    shape = (len(views.names), len(images))
    return Encodings(
        "",
        encoder.name,
        "",
        tuple(views.names),
        text.reshape(*shape, encoder.width),
        text_present.reshape(shape),
        image,
        image_present,
    )


@torch.inference_mode()
def encode_some(
    encode: Callable[[Sequence[T]], FloatArray],
    width: int,
    things: Sequence[T | None],
    ids: Sequence[str] = (),
) -> tuple[FloatArray, BoolArray]:
    """Rows (n, width) of texts or pictures, zero where there is none, and where there is one.

    Args:
        encode: things (m) to rows (m, width), NaN where a picture failed.
        width: of a row.
        things: (n,), None where there is none.
        ids: of the items, for pictures.

    Raises:
        InputError: a picture cannot be used.
    """
    present = np.array([thing is not None for thing in things], dtype=np.bool_)
    rows = np.zeros((len(things), width), dtype=np.float32)
    if present.any():
        rows[present] = encode([thing for thing in things if thing is not None])
    broken = np.isnan(rows).any(axis=1)
    if broken.any():
        raise InputError(
            "its picture cannot be used: no such file, or not an image",
            where=f"item {ids[int(broken.argmax())]!r}" if ids else "picture",
            remedy="give another, or none",
        )
    return rows, present
