"""Items by words or by a picture of one's own."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Literal

import numpy as np

from cliper.data import Vocabulary
from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.serving.new_items import NewItems
from cliper.serving.shelf import Shelf
from cliper.types import FloatArray

CHUNK = 8192  # items averaged at a time


class Finder:
    """Scores of a shop's search box.

    A text's score is the share of its words that an item's fields hold, and, where the run's
    features are made of views, the cosine of the text with them. A picture's is the cosine with an
    item's picture.

    Args:
        maker: gives the run's encoder and encodings, when they are first needed.
    """

    def __init__(self, maker: Callable[[], NewItems]) -> None:
        self._maker = maker
        self._using = Lock()  # an encoder is used by one thread at a time
        self._meanings: _Meanings | InputError | None = None

    def scores(self, shelf: Shelf, text: str | None, picture: Path | None) -> FloatArray:
        """Of all N items for a text or a picture, (N,); 0 where nothing speaks for one.

        Raises:
            InputError: a picture that cannot be used, or a run that knows no pictures.
        """
        found = np.zeros(len(shelf.items), np.float32)
        if text is not None and not text.strip():
            return found
        if text is not None and shelf.fields is not None:
            found += shelf.fields.words(text)
        with self._using:
            if self._meanings is None:
                try:
                    self._meanings = _Meanings(self._maker())
                except InputError as error:
                    self._meanings = error
            if isinstance(self._meanings, _Meanings):
                found += self._meanings.cosines(shelf.items, text, picture)
            elif text is None:
                raise InputError(
                    f"no picture can be compared with the items'; {self._meanings}", where="picture"
                )
        return found


class _Meanings:
    """The items in the space where texts and pictures lie together.

    Raises:
        InputError: the run's features are not made of views.
    """

    def __init__(self, new_items: NewItems) -> None:
        new_items.encodings_of(new_items.catalogue.items.ids([0])[0])
        self._new_items = new_items
        self._known = {kind: unit_vectors(new_items.known_encodings, kind) for kind in KINDS}

    def cosines(self, items: Vocabulary, text: str | None, picture: Path | None) -> FloatArray:
        """Of a text with the mean of each item's views, or of a picture with its picture: (N,)."""
        kind: Kind = "text" if picture is None else "image"
        if picture is None:
            vector = self._new_items.encoded_text(str(text))
        else:
            vector = self._new_items.encoded_picture(picture)
        direction = vector / max(float(np.linalg.norm(vector)), 1e-12)
        known = self._known[kind]
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
