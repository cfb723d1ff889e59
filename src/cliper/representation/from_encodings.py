"""Encodings into `ItemFeatures`: what the backbone gets, with the rules for missing data."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    random_weights,
    sum_fusion,
)
from cliper.representation.learned import IMAGE
from cliper.representation.similarity import (
    CHUNK,
    above,
    check_temperature,
    check_threshold,
    cosine,
    similarity,
    unit,
)
from cliper.tables import zeros
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
    seed: int = 0,
) -> ItemFeatures:
    """CLIPER's item representations: similarity (Eq. 2), then fusion (Eq. 3).

    Views are scaled to length 1 before they are fused unless `normalize_views` is False: the
    weights are made of cosines, and an encoder whose norms differ between views would otherwise
    weight them a second time, by length. The official code does not normalise. The image goes to
    the backbone as it is.

    Args:
        encodings: C views of N items and their images, D wide.
        fusion: `attention`, `sum`, `concat`, `mlp`, `learned` or `random`.
        temperature: τ of the attention, 0.1 by default; the other fusions have none.
        normalize_views: scale each view to length 1 before fusing.
        include: views to use, in this order; all by default.
        threshold: of the attention: views less similar to the image are masked, an item's best
            view stays; None masks none.
        weights: of `learned`: view → w_j, `image` for the picture, as `learn_weights` gives them.
            A view of length 1 is multiplied by √w_j, so that w_j is its weight in an inner product.
        seed: draws the weights of `random`.

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
    """
    kind = check_fusion(fusion)
    for name, value in (("temperature", temperature), ("threshold", threshold)):
        if value is not None and kind != "attention":
            raise InputError(
                f"a {name} has no effect on fusion {kind!r}",
                where=f"fusion.{name}",
                remedy="leave it out, or use fusion 'attention'",
            )
    if temperature is not None:
        check_temperature(temperature)
    if threshold is not None:
        check_threshold(threshold)
    names, chosen = choose_views(encodings.views, include)
    encodings.check()
    text = as_tensor(encodings.text)
    text_present = as_tensor(encodings.text_present)
    if chosen != list(range(len(encodings.views))):
        text, text_present = text[chosen], text_present[chosen]
    image, image_present = as_tensor(encodings.image), as_tensor(encodings.image_present)
    has_text = text_present.any(0)
    _check_weights(kind, weights, names, normalize_views)
    used, lengths, folder = None, None, encodings.folder
    uniform = 0
    dropped: dict[str, int] = {}
    if kind == "attention":
        used = DEFAULT_TEMPERATURE if temperature is None else temperature
        shares = similarity(text, image, text_present, image_present, used, threshold=threshold)
        fused = attention_fusion(text, shares, normalize=normalize_views, folder=folder)
        uniform = int((has_text & ~image_present).sum())
        if threshold is not None:
            cosines = cosine(text, image) * image_present.unsqueeze(1)
            kept = above(cosines, text_present.T, threshold)
            dropped[BELOW] = int((text_present.T & ~kept).any(1).sum())
    elif kind == "sum":
        fused = sum_fusion(text, text_present, normalize=normalize_views, folder=folder)
    elif kind == "random":
        drawn = random_weights(text_present, seed)
        fused = attention_fusion(text, drawn, normalize=normalize_views, folder=folder)
    elif weights is not None:
        each = torch.tensor([weights[name] for name in names]).sqrt()
        fused = concat_fusion(text, text_present, normalize=True, lengths=each, folder=folder)
        image = _scaled(image, weights[IMAGE] ** 0.5, folder)
        lengths = (_squares(fused) + _squares(image)).sqrt().mean()
    else:
        fused = concat_fusion(text, text_present, normalize=normalize_views, folder=folder)
    fused, no_text = fill_missing(fused, has_text, folder)
    pictures, no_image = fill_missing(image.float(), image_present, folder)
    return ItemFeatures(
        encodings.items_hash,
        {"image": pictures, "text": fused},
        mlp_width=text.shape[2] if kind == "mlp" else None,
        kind="cliper",
        encoder=encodings.encoder,
        encoder_hash=encodings.encoder_hash,
        views=names,
        fusion=kind,
        temperature=used,
        threshold=threshold,
        lengths=None if lengths is None else {"image": lengths, "text": lengths},
        weights=weights,
        touched={
            "no text: mean text": no_text,
            "no image: mean image": no_image,
            "no image: uniform weights": uniform,
            **dropped,
        },
    )


def _scaled(image: Tensor, length: float, folder: Path | None) -> Tensor:
    """Pictures (N, D) at one length, some at a time."""
    result = torch.from_numpy(zeros(len(image), image.shape[1], folder))
    for into, rows in zip(torch.split(result, CHUNK), torch.split(image, CHUNK), strict=True):
        into.copy_(unit(rows.float()) * length)
    return result


def _squares(table: Tensor) -> Tensor:
    """Squared lengths (N,) of a table's rows, some at a time."""
    return torch.cat([rows.square().sum(1) for rows in torch.split(table, CHUNK)])


def _check_weights(
    kind: str, weights: Mapping[str, float] | None, names: Sequence[str], normalized: bool
) -> None:
    if kind != "learned":
        if weights is not None:
            raise InputError(f"have no effect on fusion {kind!r}", where="fusion weights")
        return
    if weights is None or set(weights) != {*names, IMAGE}:
        raise InputError(
            "the learned fusion needs a weight for each view and the picture",
            where="fusion weights",
            remedy="learn_weights(encodings, train) gives them",
        )
    if not normalized:
        raise InputError(
            "false has no effect on the learned fusion, whose weights are of views of length 1",
            where="features.normalize_views",
            remedy="leave it out",
        )


def vanilla_features(
    items_hash: str,
    image: FloatArray,
    image_present: BoolArray,
    text: FloatArray,
    text_present: BoolArray,
    encoder: str = "vanilla",
    folder: Path | None = None,
) -> ItemFeatures:
    """Features of independent unimodal encoders, under the same rules for missing data.

    Args:
        items_hash: hash of the item vocabulary.
        image: (N, D_v), of an image network.
        image_present: bool (N,).
        text: (N, D_t), of the whole text.
        text_present: bool (N,).
        encoder: what to call it in results.
        folder: where large tables lie, in files without a name (`cliper.tables`).
    """
    pictures, no_image = fill_missing(as_tensor(image).float(), as_tensor(image_present), folder)
    texts, no_text = fill_missing(as_tensor(text).float(), as_tensor(text_present), folder)
    return ItemFeatures(
        items_hash,
        {"image": pictures, "text": texts},
        kind="vanilla",
        encoder=encoder,
        touched={"no text: mean text": no_text, "no image: mean image": no_image},
    )


def random_features(items_hash: str, n_items: int, width: int = 384, seed: int = 0) -> ItemFeatures:
    """Standard normal features that know nothing: the control of every claim about content."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(n_items, width, generator=generator)
    text = torch.randn(n_items, width, generator=generator)
    return ItemFeatures(items_hash, {"image": image, "text": text}, kind="random")


def choose_views(
    views: Sequence[str], include: Sequence[str] | None
) -> tuple[tuple[str, ...], list[int]]:
    """Names and positions of the views wanted.

    Raises:
        InputError: none wanted, one twice, or one that is not there.
    """
    names = list(views) if include is None else list(include)
    if not names:
        raise InputError("no view is named", where="views.include", remedy="name at least one")
    if len(set(names)) != len(names):
        raise InputError("a view is named twice", where="views.include")
    for name in names:
        if name not in views:
            raise InputError(
                f"no view {name!r} was encoded",
                where="views.include",
                remedy=nearest(name, list(views)),
            )
    return tuple(names), [list(views).index(name) for name in names]


def as_tensor(array: FloatArray | BoolArray) -> Tensor:
    """A tensor on the same memory; a read-only memory map is fine, as nothing here writes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
