"""Encodings into `ItemFeatures`: what the backbone gets, with the rules for missing data."""

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cliper.config import nearest
from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures
from cliper.representation.fusion import (
    attention_fusion,
    check_fusion,
    concat_fusion,
    fill_missing,
    sum_fusion,
)
from cliper.representation.learned import IMAGE
from cliper.representation.similarity import (
    above,
    check_temperature,
    check_threshold,
    cosine,
    similarity,
    unit,
)
from cliper.types import BoolArray, FloatArray

DEFAULT_TEMPERATURE = 0.1
BELOW = "below the threshold: views dropped"


def cliper_features(
    encodings: Encodings,
    fusion: str = "attention",
    temperature: float | None = None,
    normalize_views: bool = True,
    include: Sequence[str] | None = None,
    threshold: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> ItemFeatures:
    """CLIPER's item representations: similarity (Eq. 2), then fusion (Eq. 3).

    Views are scaled to length 1 before they are fused unless `normalize_views` is False: the
    weights are made of cosines, and an encoder whose norms differ between views would otherwise
    weight them a second time, by length. The official code does not normalise. The image goes to
    the backbone as it is.

    Args:
        encodings: C views of N items and their images, D wide.
        fusion: `attention`, `sum`, `concat`, `mlp` or `learned`.
        temperature: τ of the attention, 0.1 by default; the other fusions have none.
        normalize_views: scale each view to length 1 before fusing.
        include: views to use, in this order; all by default.
        threshold: of the attention: views less similar to the image are masked, an item's best
            view stays; None masks none.
        weights: of `learned`: view → w_j, `image` for the picture, as `learn_weights` gives them.
            A view of length 1 is multiplied by √w_j, so that w_j is its weight in an inner product.

    Returns:
        Tables `image` (N, D) and `text`: (N, D), or (N, C·D) for `concat`, `learned` and `mlp`
        (whose `mlp_width` is D). With `learned` the picture is one of the views: its rows have
        length √w too, and `lengths` keeps it in proportion to the text. `touched` counts the
        items without any text (`no text: mean text`), without an image (`no image: mean image`),
        and those among the latter whose views were weighted alike (`no image: uniform weights`);
        with a threshold also those that lost a view.

    Raises:
        InputError: an unknown fusion or view, a temperature, threshold or weights for a fusion
            without, `learned` with none for a view or without views of length 1, or encodings that
            are damaged on the disk.
