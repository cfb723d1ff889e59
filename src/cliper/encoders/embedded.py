"""`EmbeddedEncoder`: a dual encoder that needs nothing but packages from the registry.

Two pretrained unimodal encoders (a sentence encoder and an ImageNet network) and two small
projections, fitted contrastively on the catalogue's own pairs. **It is no substitute for CLIP**:
CLIP saw hundreds of millions of pairs, this saw the catalogue's few thousand, so its image and
text agree only roughly and its attention weights say little on a small catalogue. It exists so
that everything works offline, and as the comparison "contrastive but not pretrained".
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from cliper.encoders.alignment import Alignment, AlignmentConfig
from cliper.encoders.alignment_fit import fit_alignment
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.minilm import MiniLM
from cliper.encoders.pairs import choose_pairs
from cliper.types import FloatArray


class EmbeddedEncoder:
    """Unimodal encoders and the alignment that brings them into one space (a `DualEncoder`).

    Args:
        text: the sentence encoder.
        image: the image network.
        alignment: fitted on the catalogue that is to be encoded (`EmbeddedEncoder.fit`, or
            `encode_dataset`, which keeps it in the dataset's store).

    Example (needs the packaged weights)::

        encoder = EmbeddedEncoder.fit([titles, brands], image_paths, seed=0)
        encoder.encode_text(["a red shoe"]).shape  # (1, 384)
    """

    name = "embedded"

    def __init__(self, text: MiniLM, image: EfficientNetLite, alignment: Alignment) -> None:
        self.text = text
        self.image = image
        self.alignment = alignment
        self.width = alignment.width
        self.max_tokens = text.max_tokens
        self.hash = embedded_hash(text, image, alignment)

    @classmethod
    def fit(
        cls,
        view_texts: Sequence[Sequence[str | None]],
        images: Sequence[Path | None],
        seed: int = 0,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        config: AlignmentConfig | None = None,
    ) -> "EmbeddedEncoder":
        """Encode a catalogue unimodally and fit the alignment on its pairs, all in memory.

        Args:
            view_texts: C views of N texts, None where an item lacks one.
            images: N image files, None where there is none.
            seed: of everything random in the fit.
            device: where the two networks run.
            dtype: of the two networks.
            config: how to train.
        """
        config = config or AlignmentConfig()
        text_encoder, image_encoder = MiniLM(device, dtype), EfficientNetLite(device, dtype)
        text_present = np.array([[t is not None for t in view] for view in view_texts], dtype=bool)
        has_image = np.array([path is not None for path in images], dtype=bool)
        rows = choose_pairs(text_present, has_image, config.max_items, seed)
        flat = [view[row] or "" for view in view_texts for row in rows]
        text = text_encoder.encode_text(flat).reshape(len(view_texts), len(rows), -1)
        paths = [path for path in (images[row] for row in rows) if path is not None]
        image, _ = image_encoder.encode_image(paths)
        decoded = ~np.isnan(image).any(1)
        alignment = fit_alignment(
            text[:, decoded],
            text_present[:, rows][:, decoded],
            image[decoded],
            seed=seed,
            config=config,
        )
        return cls(text_encoder, image_encoder, alignment)

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts (n) to float32 (n, D)."""
        return self.alignment.project_text(self.text.encode_text(texts))

    def encode_image(self, images: Sequence[Path]) -> FloatArray:
        """Image files (n) to float32 (n, D), NaN where a file could not be decoded."""
        return self.alignment.project_image(self.image.encode_image(images)[0])


def embedded_hash(text: MiniLM, image: EfficientNetLite, alignment: Alignment) -> str:
    """Hex SHA-256 over both networks, their preprocessing and the fitted projections."""
    digest = hashlib.sha256(f"{text.hash}; {image.hash}".encode())
    for array in (alignment.text, alignment.image_mean, alignment.image_scale, alignment.image):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
