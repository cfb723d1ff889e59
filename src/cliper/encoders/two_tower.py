"""`TwoTowerEncoder`: a `DualEncoder` over the towers of any family.

What surrounds the towers is the same for all of them and lives here: tokenising, the text limit,
batches of similar lengths, decoding and preprocessing pictures. The projected features are
returned as they are: whether to normalise them is the representation's choice.
"""

import hashlib
import json
from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
import torch

from cliper.encoders.image_batches import encode_files
from cliper.encoders.images import ImageFailure
from cliper.encoders.limits import TextCounts
from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.encoders.runtime.choice import precision_key
from cliper.encoders.runtime.computing import DTYPES, Computing
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.text_batches import TextPipeline
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.encoders.towers import ModelParts, Towers
from cliper.errors import InputError
from cliper.types import FloatArray, JsonObject


class TwoTowerEncoder:
    """A `DualEncoder` over a family's towers.

    Args:
        name: what the user calls it.
        parts: the towers, which are moved, cast and kept in evaluation mode, and what their
            inputs go through.
        settings: how it runs; the defaults if None.
        workers: threads that decode pictures.

    Attributes:
        name, width, max_tokens, hash: see `DualEncoder`. The hash also covers `long_text`,
            `dtype` and `runtime`, because they change the numbers. The batch size changes them
            by rounding alone, except in int8, where the rows of a batch share a scale.
        image_failures: pictures of the latest `encode_image` that could not be read; their rows
            are NaN.
        source: where the weights came from: a `path`, or `repository`, `revision` and `commit`.
            For the record; what was loaded is in the hash.

    Raises:
        InputError: the preprocessing does not belong to the towers, or the precision is too coarse
            for them; from the two methods, a tower overflows (float16 ends at 65,504).
    """

    def __init__(
        self,
        name: str,
        parts: ModelParts,
        settings: EncoderSettings | None = None,
        *,
        workers: int = 2,
    ) -> None:
        settings = settings or EncoderSettings()
        towers, tokenizer, preprocessing = parts
        _check_precision(towers, settings.dtype, name)
        _check_size(preprocessing, towers.image_shape, name)
        self.name = name
        self.image_failures: tuple[ImageFailure, ...] = ()
        self.source: JsonObject = {}
        self.preprocessing = preprocessing
        self.tokenizer = tokenizer
        self.long_text = settings.long_text
        self._workers = workers
        self.width = towers.width
        self.max_tokens = towers.max_tokens
        towers.to(DTYPES[settings.dtype])
        precision = precision_key(settings.runtime, settings.dtype)
        self.hash = _hash(towers, tokenizer, preprocessing, settings.long_text, precision)
        self._compute(Computing(towers, tokenizer.pad, preprocessing, settings, self.hash))

    def _compute(self, computing: Computing) -> None:
        self._computing = computing
        self._texts = TextPipeline(
            self.tokenizer, computing.text, lambda: computing.tokens_at_once,
            width=self.width, max_tokens=self.max_tokens, long_text=self.long_text,
            padded_to=computing.towers.padded_to,
        )  # fmt: skip

    @property
    def towers(self) -> Towers:
        """The towers, to be read or trained."""
        return self._computing.towers

    @property
    def text_counts(self) -> TextCounts:
        """What happened to the texts so far."""
        return self._texts.counts

    @property
    def batch_sizes(self) -> tuple[int | None, int | None]:
        """Images and tokens of texts at once; None for what has not been encoded yet."""
        return self._computing.batch_sizes

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts (n) to projected features (n, D), float32, not normalised (Eq. 1).

        Equal texts are encoded once. Over-long ones are truncated or chunked, and counted in
        `text_counts`.
        """
        rows = self._texts(texts)
        self._check_finite(rows, "text")
        return rows

    @torch.inference_mode()
    def encode_image(self, images: Sequence[Path]) -> FloatArray:
        """Image files (n) to projected features (n, D), float32, not normalised (Eq. 1).

        Pictures are decoded in threads ahead of the tower. One that cannot be read becomes a
        row of NaN and an entry of `image_failures`.
        """
        out, self.image_failures = encode_files(
            images, self.preprocessing.crop_pixels, self._computing.image, width=self.width,
            batch_size=self._computing.images_at_once, workers=self._workers,
        )  # fmt: skip
        read = np.ones(len(out), dtype=np.bool_)
        read[[failure.index for failure in self.image_failures]] = False
        self._check_finite(out[read], "picture")
        return out

    def with_towers(self, towers: Towers, *, name: str, digest: str) -> "TwoTowerEncoder":
        """The same encoder over other weights of the same architecture.

        Args:
            towers: moved and cast as this one's.
            name: the new encoder's.
            digest: its hash; must change with anything that tells it from others.
        """
        other = copy(self)
        other.name, other.hash = name, digest
        other.image_failures = ()
        other._compute(self._computing.over(towers, digest))
        return other

    def _check_finite(self, rows: FloatArray, what: str) -> None:
        # A row of NaN would pass for a picture that cannot be read, and its item for one without.
        if not np.isfinite(rows).all():
            kind = self._computing.settings.dtype
            raise InputError(
                f"the {what} tower gives numbers that are not finite in {kind}",
                where=self.name,
                remedy="use bfloat16 or float32" if kind == "float16" else "check the weights",
            )


def _check_precision(towers: Towers, dtype: str, name: str) -> None:
    if dtype in towers.too_coarse:
        raise InputError(
            f"{dtype} is too coarse for this family: rows fall under a cosine of 0.999 to float32",
            where=name,
            remedy="use float16 or float32",
        )


def _check_size(
    preprocessing: ImagePreprocessing, expected: tuple[int, int] | None, name: str
) -> None:
    if expected is not None and preprocessing.shape != expected:
        raise InputError(
            f"the preprocessing gives pictures of {preprocessing.shape}, the image tower expects "
            f"{expected}",
            where=name,
            remedy="use the preprocessor_config.json that was published with the weights",
        )


def _hash(
    towers: Towers,
    tokenizer: TextTokenizer,
    preprocessing: ImagePreprocessing,
    long_text: str,
    precision: str,
) -> str:
    digest = hashlib.sha256()
    settings = [preprocessing.to_json(), tokenizer.hash, long_text, precision, towers.settings]
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for key, tensor in towers.used_tensors():
        digest.update(f"{key}{tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
