"""Eq. 2: how much each view of an item agrees with its image, as attention weights."""

import math

import torch
from torch import Tensor

from cliper.errors import InputError

CHUNK = 4096
"""Items at a time: 5 views of 768 numbers make 60 MB."""


def cosine(text: Tensor, image: Tensor, chunk: int = CHUNK) -> Tensor:
    """Cosine of each view with the item's image.

    Args:
        text: (C, N, D).
        image: (N, D).
        chunk: items at a time.

    Returns:
        (N, C), 0 where either vector is zero.
    """
    n_views, n_items, _ = text.shape
    result = torch.empty(n_items, n_views)
    for start in range(0, n_items, chunk):
        rows = slice(start, start + chunk)
        views = unit(text[:, rows].float())
        pictures = unit(image[rows].float())
        result[rows] = torch.einsum("cnd,nd->nc", views, pictures)
    return result


def similarity(
    text: Tensor,
    image: Tensor,
    text_present: Tensor,
    image_present: Tensor,
    temperature: float = 0.1,
    chunk: int = CHUNK,
    threshold: float | None = None,
) -> Tensor:
    """Attention weights s of Eq. 2: softmax over an item's present views of cos(e^t, e^v) / τ.

    An absent view weighs nothing. An item without an image weighs its present views alike; one
    without any view gets zeros. τ = 0 is the limit (the most similar view takes all, ties share),
    τ = inf the mean of the present views.

    Args:
        text: (C, N, D).
        image: (N, D).
        text_present: bool (C, N).
        image_present: bool (N,).
        temperature: τ ≥ 0.
        chunk: items at a time.
        threshold: views less similar than this are masked, see `above`; None masks none.

    Returns:
        (N, C) float32; rows sum to 1, or to 0 for an item without text.

    Raises:
        InputError: τ negative or not a number.

    >>> text = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    >>> present = torch.ones(2, 1, dtype=torch.bool)
    >>> image = torch.tensor([[2.0, 0.0]])
    >>> similarity(text, image, present, torch.tensor([True]), temperature=0.0).tolist()
    [[1.0, 0.0]]
    """
    check_temperature(temperature)
    cosines = cosine(text, image, chunk) * image_present.unsqueeze(1)
    present = text_present.T
    if threshold is not None:
        present = above(cosines, present, threshold)
    return attention_weights(cosines, present, temperature)


def above(cosines: Tensor, present: Tensor, threshold: float) -> Tensor:
    """Which views stay when those under a similarity are dropped.

    An item whose views are all under it keeps the most similar (several where they are equal, so
    that an item without an image, whose cosines are all zero, keeps all). Not in the paper's text:
    one of the experiments that its summary proposes.

    Args:
        cosines: (N, C).
        present: bool (N, C).
        threshold: the least cosine of a view that stays.

    Returns:
        bool (N, C), at least one per row of `present` that has one.

    >>> above(torch.tensor([[0.1, 0.4], [0.1, 0.2]]), torch.ones(2, 2, dtype=torch.bool), 0.3)
    tensor([[False,  True],
            [False,  True]])
    """
    masked = cosines.masked_fill(~present, -math.inf)
    best = present & (masked == masked.amax(dim=1, keepdim=True)) if masked.shape[1] else present
    kept = present & (cosines >= threshold)
    return torch.where(kept.any(1, keepdim=True), kept, best)


def attention_weights(cosines: Tensor, present: Tensor, temperature: float) -> Tensor:
    """Masked softmax of cosines / τ over the present views; both (N, C), so is the result."""
    masked = cosines.masked_fill(~present, -math.inf)
    # the largest is taken off before dividing, so that a tiny τ cannot overflow
    largest = masked.amax(dim=1, keepdim=True) if masked.shape[1] else masked
    below = torch.where(present, cosines - largest, -math.inf)
    if temperature == 0:
        strength = (below == 0).float()
    elif math.isinf(temperature):
        strength = present.float()
    else:
        # float64: below / τ overflows float32 for τ under 1e-38
        strength = torch.exp(below.double() / temperature).float()
    return strength / strength.sum(dim=1, keepdim=True).clamp_min(1e-30)


def check_temperature(temperature: float) -> None:
    """Refuse a τ that is negative or NaN."""
    if math.isnan(temperature) or temperature < 0:
        raise InputError(
            f"temperature {temperature}", where="fusion.temperature", remedy="0, above, or inf"
        )


def check_threshold(threshold: float) -> None:
    """Refuse a threshold that is no number; from 1 on (cosines end there) the best view stays."""
    if not math.isfinite(threshold):
        raise InputError(
            f"threshold {threshold}", where="fusion.threshold", remedy="a cosine, -1 to 1"
        )


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., D) at length 1; zero vectors stay zero."""
    return torch.nn.functional.normalize(vectors, dim=-1)
