"""The protocol that every dual encoder fulfils, and the arrays that come out of a catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from cliper.errors import MismatchError
from cliper.sums import check_sums
from cliper.types import BoolArray, FloatArray


@runtime_checkable
class DualEncoder(Protocol):
    """Texts and images into one space R^D (Eq. 1): e^t = E_t(T), e^v = E_v(V).

    Attributes:
        name: what the user calls it, e.g. `clip-vit-l-14`.
        width: D.
        max_tokens: the text tower's limit; longer texts are truncated by default.
        hash: hex SHA-256 over weights, tokeniser and image preprocessing.
    """

    name: str
    width: int
    max_tokens: int
    hash: str

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts (n) to (n, D), float32, not normalised."""
        ...

    def encode_image(self, images: Sequence[Path]) -> FloatArray:
        """Image files (n) to (n, D), float32, not normalised."""
        ...


@dataclass(frozen=True, eq=False)
class Encodings:
    """A catalogue in an encoder's space.

    Attributes:
        items_hash: hash of the item vocabulary that row i refers to.
        encoder: the encoder's name; `key` names encoder, weights and preprocessing exactly.
        views: names of the C views, `global` included where it is used.
        text: float32 (C, N, D), zero where `text_present` is False.
        text_present: bool (C, N): the item has this view.
        image: float32 (N, D), zero where `image_present` is False.
        image_present: bool (N,).
        folder: where they are memory-mapped from; None for what is in memory.
        encoder_hash: of its weights and preprocessing, of a fitted one with its fit; "" where they
            are not known.
    """

    items_hash: str
    encoder: str
    key: str
    views: tuple[str, ...]
    text: FloatArray
    text_present: BoolArray
    image: FloatArray
    image_present: BoolArray
    folder: Path | None = None
    encoder_hash: str = ""

    def __post_init__(self) -> None:
        c, n, _ = self.text.shape
        if (len(self.views), n) != (c, len(self.image)) or self.text_present.shape != (c, n):
            raise MismatchError("the arrays of Encodings differ in shape")

    def check(self) -> None:
        """Compare the arrays on disk with their digests: reads them once.

        Raises:
            InputError: one holds other bytes than were written.
        """
        if self.folder is not None:
            remedy = "delete this folder and encode again"
            check_sums(self.folder, "text.npy", "image.npy", remedy=remedy)
