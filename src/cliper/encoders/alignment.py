"""Two unimodal spaces brought into one: the projections of the `embedded` encoder.

Text keeps its own coordinates: its projection is the identity plus a small learned correction, and
the image is brought to it. The pretrained text space already tells the catalogue's items apart;
trained freely on a few thousand pairs it would be bent towards what the pictures show and forget
the rest (measured in benchmarks/cold_reference.py).
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from cliper.config import StrictConfig
from cliper.files import as_written
from cliper.tensor_files import ENCODE_AGAIN, load_tensors, save_tensors
from cliper.types import FloatArray

_BLOCK = 65536


class AlignmentConfig(StrictConfig):
    """How the projections are trained (part of the fitted encoder's identity)."""

    width: int = Field(default=384, ge=2, le=4096, description="D of the shared space")
    max_epochs: int = Field(default=60, ge=0, le=1000)
    patience: int = Field(default=6, ge=1, description="epochs without a better held-out loss")
    batch_size: int = Field(default=256, ge=2)
    learning_rate: float = Field(default=1e-3, gt=0)
    text_learning_rate: float = Field(default=3e-5, ge=0, description="0 leaves text as it is")
    weight_decay: float = Field(default=0.1, ge=0)
    image_dropout: float = Field(default=0.6, ge=0, lt=1)
    temperature: float = Field(default=0.07, gt=0, description="where the learned one starts")
    ridge: float = Field(default=1.0, gt=0, description="of the image projection's first value")
    held_out: float = Field(default=0.1, gt=0, lt=1, description="share kept for early stopping")
    max_items: int = Field(default=50_000, ge=100, description="sampled from a larger catalogue")
    min_pairs: int = Field(default=64, ge=4, description="fewer pairs: nothing is trained")


@dataclass(frozen=True)
class AlignmentScore:
    """What the held-out pairs say of an alignment.

    The same pairs chose the epoch, so the recall is slightly flattering; beside chance it says
    whether the two spaces met at all.

    Attributes:
        pairs: items with a text and an image that it was trained on.
        held_out: items it was judged on.
        recall_at_10: share of (view, image) queries, both directions, whose partner is among the
            first ten of the held-out items; None when nothing was held out.
        chance: what random order would score.
        epochs: the best epoch, 0 for the initial projections.
        temperature: the learned one.
    """

    pairs: int
    held_out: int
    recall_at_10: float | None
    chance: float | None
    epochs: int
    temperature: float


@dataclass(frozen=True, eq=False)
class Alignment:
    """Fitted projections, float32.

    Attributes:
        text: (W_t, D); e^t = t · text.
        image_mean, image_scale: (W_v,); features are standardised first.
        image: (W_v, D); e^v = standardised · image.
        score: how well held-out pairs find each other.
    """

    text: FloatArray
    image_mean: FloatArray
    image_scale: FloatArray
    image: FloatArray
    score: AlignmentScore

    @property
    def width(self) -> int:
        """D."""
        return int(self.text.shape[1])

    def project_text(self, rows: FloatArray) -> FloatArray:
        """Unimodal text rows (n, W_t) to (n, D); a zero row stays zero."""
        result: FloatArray = rows @ self.text
        return result

    def project_image(self, rows: FloatArray) -> FloatArray:
        """Unimodal image rows (n, W_v) to (n, D)."""
        out = np.empty((len(rows), self.width), dtype=np.float32)
        for start in range(0, len(rows), _BLOCK):  # bounded memory for the standardised copy
            part = rows[start : start + _BLOCK]
            out[start : start + _BLOCK] = ((part - self.image_mean) / self.image_scale) @ self.image
        return out

    def save(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all; the score travels in its header."""
        tensors = {name: torch.from_numpy(getattr(self, name)) for name in _TENSORS}
        save_tensors(path, tensors, asdict(self.score))

    @classmethod
    def load(cls, path: Path) -> "Alignment":
        """Read what `save` wrote.

        Raises:
            InputError: the file is broken.
        """
        tensors, score = load_tensors(path)
        with as_written(path, ENCODE_AGAIN):
            arrays = {name: tensors[name].numpy() for name in _TENSORS}
            return cls(**arrays, score=AlignmentScore(**score))


_TENSORS = ("text", "image_mean", "image_scale", "image")
