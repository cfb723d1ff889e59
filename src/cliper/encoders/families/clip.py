"""CLIP (Radford et al. 2021, arXiv 2103.00020) and its relatives of the same architecture.

The towers are `transformers`' `CLIPModel`; what surrounds them (tokenising, limits, batches,
pictures) is this package's. The projected features are returned as they are: whether to
normalise them is the representation's choice.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from cliper import progress
from cliper.encoders.families.clip_tokenizer import ClipTokenizer, load_tokenizer
from cliper.encoders.images import ImageFailure, decode_batches
from cliper.encoders.limits import LongText, TextCounts, limited
from cliper.encoders.preprocessing import ImagePreprocessing, load_preprocessing
from cliper.encoders.text_batches import encode_sequences, mean_by_owner
from cliper.errors import InputError
from cliper.files import read_json
from cliper.types import FloatArray

Model = Any
"""`transformers.CLIPModel`, whose own annotations differ between versions."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ClipEncoder:
    """A `DualEncoder` over a `CLIPModel` of any size and text length.

    Args:
        name: what the user calls it.
        model: the two towers; moved, cast and kept in evaluation mode.
        tokenizer: the one that the text tower was trained with.
        preprocessing: the one that the image tower was trained with.
        device: where to compute.
        dtype: `float32`, `bfloat16` or `float16`; results are float32 in any case.
        batch_size: images at once; texts get `batch_size * max_tokens` tokens at once.
        long_text: what to do beyond `max_tokens` (`limits`).
        workers: threads that decode pictures.

    Attributes:
        name, width, max_tokens, hash: see `DualEncoder`. The hash also covers `long_text` and
            `dtype`, because both change the numbers.
        text_counts: what happened to the texts so far.
        image_failures: pictures of the latest `encode_image` that could not be read; their rows
            are NaN.

    Raises:
        InputError: tokenizer or preprocessing do not belong to the towers.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        tokenizer: ClipTokenizer,
        preprocessing: ImagePreprocessing,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int = 32,
        long_text: LongText = "truncate",
        workers: int = 2,
    ) -> None:
        self.name = name
        self.text_counts = TextCounts()
        self.image_failures: tuple[ImageFailure, ...] = ()
        self.preprocessing = preprocessing
        self.tokenizer = tokenizer
        self.long_text = long_text
        self._device, self._dtype = torch.device(device), DTYPES[dtype]
        self._batch_size, self._workers = batch_size, workers
        text = model.config.text_config
        self.width = int(model.config.projection_dim)
        self.max_tokens = int(text.max_position_embeddings)
        _check_tokens(tokenizer, text.vocab_size, text.eos_token_id, name)
        _check_size(preprocessing, model.config.vision_config.image_size, name)
        model.eval().requires_grad_(False).to(self._dtype)
        self.hash = _hash(model, tokenizer, preprocessing, long_text, dtype)
        # Pictures arrive channels-last; with the patch convolution in the same layout it takes
        # about a sixth less time on a CPU and gives the same bits.
        self._model = model.to(self._device, memory_format=torch.channels_last)

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts (n) to projected features (n, D), float32, not normalised (Eq. 1).

        Equal texts are encoded once. Over-long ones are truncated or chunked, and counted in
        `text_counts`. Memory beyond the result: the distinct texts' ids and one batch.
        """
        position = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        keep = self.max_tokens - 2 if self.long_text == "truncate" else None
        tokens = self.tokenizer.encode(list(position), keep=keep)
        rows = np.array([position[text] for text in texts], dtype=np.int64)
        start, end = self.tokenizer.start, self.tokenizer.end
        sequences, owners = limited(tokens, self.max_tokens, self.long_text, start=start, end=end)
        embedded = encode_sequences(
            sequences,
            self._text_features,
            width=self.width,
            pad=end,
            budget=self._batch_size * self.max_tokens,
        )
        too_long = np.array([len(t) > self.max_tokens - 2 for t in tokens], dtype=bool)
        over = int(too_long[rows].sum())
        cut = self.long_text == "truncate"
        self.text_counts += TextCounts(len(texts), over if cut else 0, 0 if cut else over)
        result: FloatArray = mean_by_owner(embedded, owners, len(tokens))[rows]
        return result

    @torch.inference_mode()
    def encode_image(self, images: Sequence[Path]) -> FloatArray:
        """Image files (n) to projected features (n, D), float32, not normalised (Eq. 1).

        Pictures are decoded in threads ahead of the tower. One that cannot be read becomes a
        row of NaN and an entry of `image_failures`.
        """
        out = np.full((len(images), self.width), np.nan, dtype=np.float32)
        failures: list[ImageFailure] = []
        batches = decode_batches(
            images, self.preprocessing.crop_pixels, self._batch_size, self._workers
        )
        with progress.task("encoding images", total=len(images)) as task:
            for batch in batches:
                failures.extend(batch.failures)
                if len(batch.indices):
                    out[batch.indices] = self._image_features(batch.pixels).float().cpu().numpy()
                task.advance(len(batch.indices) + len(batch.failures))
        self.image_failures = tuple(failures)
        return out

    def _text_features(self, ids: torch.Tensor) -> torch.Tensor:
        # No attention mask: the causal one suffices, and without a mask the fast kernels apply.
        pooled = self._model.text_model(input_ids=ids.to(self._device)).pooler_output
        features: torch.Tensor = self._model.text_projection(pooled)
        return features

    def _image_features(self, pixels: torch.Tensor) -> torch.Tensor:
        normal = self.preprocessing.normalise(pixels.to(self._device)).to(self._dtype)
        pooled = self._model.vision_model(pixel_values=normal).pooler_output
        features: torch.Tensor = self._model.visual_projection(pooled)
        return features


def load_clip(folder: Path) -> tuple[Model, ClipTokenizer, ImagePreprocessing]:
    """Read a folder in `transformers`' layout: config, weights, tokeniser, preprocessing.

    Never touches the network. Weights are safetensors, or a `pytorch_model.bin` that is loaded
    without running code from it.

    Raises:
        InputError: something is missing, not CLIP's, or does not fit together.
    """
    config = read_json(folder / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "clip":
        later = kind in ("siglip", "siglip2", "align", "blip")
        raise InputError(
            f"model type {kind!r} is not supported{' yet' if later else ''}",
            where=str(folder / "config.json"),
            remedy="a model of the CLIP family is needed (model type 'clip')",
        )
    tokenizer, preprocessing = load_tokenizer(folder), load_preprocessing(folder)
    if not any(folder.glob("model*.safetensors")) and not any(folder.glob("pytorch_model*.bin")):
        raise InputError(
            "no weights (model.safetensors or pytorch_model.bin)",
            where=str(folder),
            remedy="download the model again",
        )
    library: Any = transformers
    verbosity = library.logging.get_verbosity()
    library.logging.set_verbosity_error()
    try:
        model, report = library.CLIPModel.from_pretrained(
            folder, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # safetensors, pickle and transformers each raise their own
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"the weights cannot be loaded: {reason}", where=str(folder)) from error
    finally:
        library.logging.set_verbosity(verbosity)
    if missing := sorted(report["missing_keys"]):
        # transformers fills what is missing with random numbers; nobody wants those features.
        raise InputError(
            f"the weights lack {len(missing)} of the model's tensors, first {missing[0]}",
            where=str(folder),
        )
    return model, tokenizer, preprocessing


def _check_tokens(tokenizer: ClipTokenizer, vocab_size: int, pooled_at: int, name: str) -> None:
    largest = tokenizer.engine.get_vocab_size() - 1
    # End id 2 is a slip in early published configurations: transformers then pools at the
    # largest id instead, which is the end token's in CLIP's vocabulary.
    expected = largest if pooled_at == 2 else pooled_at
    if tokenizer.end != expected or largest >= vocab_size:
        raise InputError(
            f"the tokeniser ends texts with id {tokenizer.end} of {largest + 1}, the text tower "
            f"expects id {expected} of {vocab_size}",
            where=name,
            remedy="use the tokeniser that was published with the weights",
        )


def _check_size(preprocessing: ImagePreprocessing, expected: int, name: str) -> None:
    if preprocessing.shape != (expected, expected):
        raise InputError(
            f"the preprocessing gives pictures of {preprocessing.shape}, the image tower expects "
            f"{(expected, expected)}",
            where=name,
            remedy="use the preprocessor_config.json that was published with the weights",
        )


def _hash(
    model: Model,
    tokenizer: ClipTokenizer,
    preprocessing: ImagePreprocessing,
    long_text: str,
    dtype: str,
) -> str:
    digest = hashlib.sha256()
    settings: list[Any] = [preprocessing.to_json(), tokenizer.hash, long_text, dtype]
    shape = [model.config.text_config.to_dict(), model.config.vision_config.to_dict()]
    kept = ("hidden_act", "layer_norm_eps", "num_attention_heads", "eos_token_id")
    settings.append([{key: part[key] for key in kept if key in part} for part in shape])
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for key, tensor in sorted(model.state_dict().items()):
        if key == "logit_scale" or key.endswith("position_ids"):
            continue  # neither changes an embedding, and not every layout stores them
        digest.update(f"{key}{tuple(tensor.shape)}".encode())
        digest.update(tensor.cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()
