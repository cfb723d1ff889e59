"""The two packaged networks with their row stores; `embedded` and `vanilla` share them."""

from collections.abc import Sequence
from pathlib import Path

import torch

from cliper.devices import available_device
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.images import ImageFailure
from cliper.encoders.minilm import MiniLM
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import RowStore
from cliper.errors import InputError
from cliper.types import FloatArray

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Unimodal:
    """Sentence encoder and image network over one dataset's store.

    Args:
        root: the store.
        settings: device, precision and batch size of both networks.

    Attributes:
        text, image: the networks.
        text_rows, image_rows: their rows by content.
        failed: pictures that cannot be used.
        truncated: texts that lost their end, of those encoded through this object.

    Raises:
        InputError: an unknown dtype or one that is too coarse, a device that is not here, or the
            weights' packages are not installed.
    """

    def __init__(self, root: Path, settings: EncoderSettings) -> None:
        dtype, batch_size = settings.dtype, settings.batch_size
        if dtype not in _DTYPES:
            raise InputError(f"unknown dtype {dtype!r}", remedy=f"one of {', '.join(_DTYPES)}")
        if dtype == "bfloat16":  # 45 % of posters fall under 0.999 (results/encoder-precision.md)
            raise InputError(
                "bfloat16 is too coarse for the packaged image network: rows fall under a cosine "
                "of 0.999 to float32",
                where="encoder.dtype",
                remedy="use float16 or float32",
            )
        device = available_device(settings.device)
        self.text = MiniLM(device, _DTYPES[dtype], batch_size)
        self.image = EfficientNetLite(device, _DTYPES[dtype], batch_size)
        text_folder = root / f"{self.text.name}-{self.text.hash[:16]}"
        image_folder = root / f"{self.image.name}-{self.image.hash[:16]}"
        self.text_rows = RowStore(text_folder, self.text.width)
        self.image_rows = RowStore(image_folder, self.image.width)
        self.failed = RowStore(image_folder / "failed", 1)
        self.truncated = 0

    @property
    def batch_sizes(self) -> tuple[int | None, int | None]:
        """Pictures and tokens of texts at once; None for what has not been encoded."""
        return self.image.at_once, self.text.at_once

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """`MiniLM.encode_text`, counting what was truncated."""
        rows = self.text.encode_text(texts)
        self.truncated = self.text.text_counts.truncated
        return rows

    def encode_image(self, paths: Sequence[Path]) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
        """`EfficientNetLite.encode_image`: rows (n, D), NaN where one failed, and the failures."""
        return self.image.encode_image(paths)
