"""Items by words or by a picture of one's own."""

from typing import Literal

import numpy as np

from cliper.data import Vocabulary
from cliper.encoders.base import Encodings
from cliper.serving.new_items import NewItems
from cliper.types import FloatArray

CHUNK = 8192  # items averaged at a time


class Finder:
    """What a run's encoder says of its items, in the space where texts and pictures lie together.

    Args:
        new_items: of a run whose features are made of views.

    Raises:
        InputError: they are not.
    """

    def __init__(self, new_items: NewItems) -> None:
        new_items.encodings_of(new_items.catalogue.items.ids([0])[0])
        self._new_items = new_items
        self._known = {kind: unit_vectors(new_items.known_encodings, kind) for kind in KINDS}

    def cosines(self, vector: FloatArray, items: Vocabulary, kind: "Kind") -> FloatArray:
        """Of a vector of the encoder (D,) with the items' texts or pictures, (N,); 0 for none.

        Args:
            vector: of a text or a picture.
            items: those of the training, and added ones behind them.
            kind: what of the items: the mean of their views, or the picture.
        """
        known = self._known[kind]
        direction = vector / max(float(np.linalg.norm(vector)), 1e-12)
        found = np.zeros(len(items), np.float32)
        found[: len(known)] = known @ direction
        for row, name in enumerate(items.ids(np.arange(len(known), len(items))), len(known)):
            if (own := self._new_items.added(name)) is not None:
                found[row] = unit_vectors(own, kind)[0] @ direction
        return found


Kind = Literal["text", "image"]
KINDS: tuple[Kind, ...] = ("text", "image")


def unit_vectors(encodings: Encodings, kind: Kind) -> FloatArray:
    """Rows (N, D) of length 1, or 0 where there is nothing: the mean of the views' directions, or
    the picture's.
    """
    n, width = encodings.image.shape
    found = np.zeros((n, width), np.float32)
    for start in range(0, n, CHUNK):
        part = slice(start, start + CHUNK)
        if kind == "image":
            rows = np.where(encodings.image_present[part, None], encodings.image[part], 0)
        else:
            views = np.where(encodings.text_present[:, part, None], encodings.text[:, part], 0)
            rows = _unit(views).sum(0)
        found[part] = _unit(rows)
    return found


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: FloatArray = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
