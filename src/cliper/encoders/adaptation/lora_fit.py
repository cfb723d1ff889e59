"""`lora`: adapters inside both towers, trained through them on the catalogue's own pairs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cliper import progress
from cliper.encoders.adaptation.config import LoraAdaptation
from cliper.encoders.adaptation.lora import LowRankAdapters, adaptable_layers
from cliper.encoders.images import decode_batches
from cliper.encoders.limits import truncate
from cliper.encoders.text_batches import padded
from cliper.encoders.two_tower import TwoTowerEncoder
from cliper.types import BoolArray, IndexArray

Bytes = npt.NDArray[np.uint8]


class LoraAdapter:
    """Adapters while they are trained (a `loop.Adapter`): every call goes through the towers.

    Texts are cut at the encoder's limit here, whatever `long_text` says. What a batch costs:
    one pass of the image tower, and one of the text tower for each view.

    Args:
        encoder: in float32; its weights stay as they are.
        texts: C × n, None where absent.
        pixels: uint8 (n, H, W, 3), preprocessed pictures.
        config: rank, layers, precision.
        generator: of the adapters' first values.
    """

    def __init__(
        self,
        encoder: TwoTowerEncoder,
        texts: Sequence[Sequence[str | None]],
        pixels: Bytes,
        config: LoraAdaptation,
        generator: torch.Generator,
    ) -> None:
        self._encoder, self._towers, self._pixels = encoder, encoder.towers, pixels
        self._tokens = [_sequences(encoder, view) for view in texts]
        layers = adaptable_layers(encoder.towers, config.layers)
        self.adapters = LowRankAdapters.initial(layers, config.rank, config.alpha, generator)
        self.device = next(encoder.towers.parameters()).device
        self._half = use_bfloat16(config.precision, self.device)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The adapters' matrices by name."""
        return self.adapters.tensors

    def embed(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Text (C, b, D) and image (b, D) of the pairs at `rows`, through the adapted towers."""
        at = rows.cpu().numpy()
        autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=self._half)
        with autocast, self.adapters.attached(self._towers):
            image = self._image(at)
            text = torch.stack([self._text(view, at) for view in self._tokens])
        return text.float(), image.float()

    def _image(self, at: IndexArray) -> Tensor:
        pixels = torch.from_numpy(self._pixels[at]).permute(0, 3, 1, 2).to(self.device)
        features: Tensor = self._towers.image(self._encoder.preprocessing.normalise(pixels))
        return features

    def _text(self, view: Sequence[IndexArray | None], at: IndexArray) -> Tensor:
        there = [i for i, row in enumerate(at) if view[row] is not None]
        out = torch.zeros(len(at), self._towers.width, device=self.device)
        if not there:
            return out
        sequences = [s for s in (view[at[i]] for i in there) if s is not None]
        ids = padded(sequences, self._encoder.tokenizer.pad, self._towers.padded_to)
        mask = None
        if self._towers.masked:
            lengths = torch.tensor([len(s) for s in sequences])
            mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long().to(self.device)
        features = self._towers.text(ids.to(self.device), mask).float()
        return out.index_copy(0, torch.tensor(there, device=self.device), features)


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether the towers train under bfloat16 autocast.

    >>> use_bfloat16("auto", torch.device("cpu")), use_bfloat16("bfloat16", torch.device("cpu"))
    (False, True)
    """
    if precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return precision == "bfloat16"


def cached_pixels(
    encoder: TwoTowerEncoder, paths: Sequence[Path], folder: Path
) -> tuple[Bytes, BoolArray]:
    """Pictures (n) decoded once, into a nameless file.

    Args:
        encoder: for its preprocessing, whose pictures all have one shape.
        paths: the files.
        folder: on whose disk the file lies; it vanishes with the process.

    Returns:
        uint8 (g, H, W, 3) of the g usable ones in order, and which (n,) those are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    good = np.zeros(len(paths), dtype=np.bool_)
    pixels: Bytes | None = None
    filled = 0
    batches = decode_batches(paths, encoder.preprocessing.crop_pixels, 64)
    with progress.task("decode images to adapt on", total=len(paths)) as bar:
        for batch in batches:
            bar.advance(len(batch.indices) + len(batch.failures))
            if not len(batch.indices):
                continue
            rows = batch.pixels.permute(0, 2, 3, 1).numpy()
            if pixels is None:
                file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (the array keeps it)
                pixels = np.memmap(file, np.uint8, "w+", shape=(len(paths), *rows.shape[1:]))
            pixels[filled : filled + len(rows)] = rows
            filled += len(rows)
            good[batch.indices] = True
    if pixels is None:
        pixels = np.zeros((0, 1, 1, 3), dtype=np.uint8)
    return pixels[:filled], good


def _sequences(encoder: TwoTowerEncoder, texts: Sequence[str | None]) -> list[IndexArray | None]:
    tokenizer, limit = encoder.tokenizer, encoder.max_tokens
    before, after = tokenizer.before, tokenizer.after
    there = [text for text in texts if text is not None]
    encoded = iter(tokenizer.encode(there, keep=limit - len(before) - len(after)))
    return [
        None if text is None else truncate(next(encoded), limit, before=before, after=after)
        for text in texts
    ]
