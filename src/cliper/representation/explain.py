"""Why an item's representation is what it is: each view's agreement with the image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.representation.from_encodings import DEFAULT_TEMPERATURE, as_tensor, choose_views
from cliper.representation.similarity import (
    above,
    attention_weights,
    check_temperature,
    check_threshold,
    cosine,
)
from cliper.types import IndexArray


@dataclass(frozen=True)
class ViewWeight:
    """One view of one item.

    Attributes:
        item: the item's index.
        view: the view's name.
        cosine: with the item's image; None where the view or the image is missing.
        weight: attention weight (Eq. 2), 0 for a missing or dropped view.
    """

    item: int
    view: str
    cosine: float | None
    weight: float


def explain(
    encodings: Encodings,
    items: Sequence[int] | IndexArray,
    temperature: float = DEFAULT_TEMPERATURE,
    include: Sequence[str] | None = None,
    threshold: float | None = None,
) -> list[list[ViewWeight]]:
    """Cosine and weight of every view of some items, in the items' and the views' order.

    Args:
        encodings: C views of N items.
        items: item indices (n,).
        temperature: τ.
        include: views to use; all by default.
        threshold: views less similar than this weigh nothing; None for no such rule.

    Raises:
        InputError: an unknown view, a bad τ, an item index out of range.
    """
    check_temperature(temperature)
    if threshold is not None:
        check_threshold(threshold)
    names, chosen = choose_views(encodings.views, include)
    rows = np.asarray(items, dtype=np.int64)
    which = np.asarray(chosen, dtype=np.int64)
    n_items = len(encodings.image)
    if ((rows < 0) | (rows >= n_items)).any():
        raise InputError(f"an item index is not one of the {n_items} items")
    text = as_tensor(encodings.text[np.ix_(which, rows)])
    present = as_tensor(encodings.text_present[np.ix_(which, rows)]).T
    pictured = as_tensor(encodings.image_present[rows])
    cosines = cosine(text, as_tensor(encodings.image[rows])) * pictured.unsqueeze(1)
    kept = present if threshold is None else above(cosines, present, threshold)
    weights = attention_weights(cosines, kept, temperature)
    known = present & pictured.unsqueeze(1)
    cosines = torch.where(known, cosines, torch.nan)
    return [
        [
            ViewWeight(item, name, value if shown else None, weight)
            for name, value, shown, weight in zip(names, *columns, strict=True)
        ]
        for item, *columns in zip(
            rows.tolist(), cosines.tolist(), known.tolist(), weights.tolist(), strict=True
        )
    ]
