"""`projection`: a residual linear map behind each tower of a frozen encoder.

e' = e + e·A, one A for texts of every view and one for pictures, both zero at first, so that an
untrained projection is the encoder as it came. The towers are not needed: stored encodings are
all that it is trained on and applied to. (A feature adapter as in CLIP-Adapter, arXiv 2110.04544,
Eq. 3 and 4, but linear, without a bottleneck, and trained on pairs rather than classes.)
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cliper.files import as_written
from cliper.tensor_files import ENCODE_AGAIN, load_tensors, save_tensors
from cliper.types import FloatArray

TENSORS = ("text", "image")


class ProjectionAdapter:
    """The two maps while they are trained, over encodings that are held in memory.

    Args:
        text: (C, n, D).
        image: (n, D), on the device of `text`.
    """

    def __init__(self, text: Tensor, image: Tensor) -> None:
        self.text, self.image = text, image
        width = image.shape[1]
        zeros = {name: torch.zeros(width, width, device=image.device) for name in TENSORS}
        self.tensors = {name: zero.requires_grad_(True) for name, zero in zeros.items()}

    def embed(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Projected text (C, b, D) and image (b, D)."""
        text, image = self.text[:, rows], self.image[rows]
        return text + text @ self.tensors["text"], image + image @ self.tensors["image"]


@dataclass(frozen=True, eq=False)
class Projection:
    """The fitted maps.

    Attributes:
        text, image: float32 (D, D), the A of each side; None leaves that side's bytes alone.
    """

    text: FloatArray | None
    image: FloatArray | None

    @property
    def hash(self) -> str:
        """Hex SHA-256 of both matrices."""
        digest = hashlib.sha256()
        for name in TENSORS:
            array = getattr(self, name)
            digest.update(b"none" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def project_text(self, rows: FloatArray) -> FloatArray:
        """Text rows (n, D) to (n, D); a zero row stays zero."""
        return _projected(rows, self.text)

    def project_image(self, rows: FloatArray) -> FloatArray:
        """Image rows (n, D) to (n, D); a zero row stays zero."""
        return _projected(rows, self.image)

    def save(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all."""
        arrays = {name: getattr(self, name) for name in TENSORS}
        save_tensors(path, {k: torch.from_numpy(a) for k, a in arrays.items() if a is not None})

    @classmethod
    def load(cls, path: Path) -> "Projection":
        """Read what `save` wrote.

        Raises:
            InputError: the file is broken.
        """
        tensors, _ = load_tensors(path)
        with as_written(path, ENCODE_AGAIN):
            return cls(*[tensors[name].numpy() if name in tensors else None for name in TENSORS])


def _projected(rows: FloatArray, residual: FloatArray | None) -> FloatArray:
    if residual is None:
        return np.array(rows, dtype=np.float32)
    result: FloatArray = rows + rows @ residual
    return result
