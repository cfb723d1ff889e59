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
    return attention_weights(cosines, text_present.T, temperature)


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


def unit(vectors: Tensor) -> Tensor:
    """Vectors (..., D) at length 1; zero vectors stay zero."""
    return torch.nn.functional.normalize(vectors, dim=-1)
