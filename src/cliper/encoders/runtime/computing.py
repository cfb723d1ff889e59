"""`Computing`: a family's towers where and how they are computed."""

from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

import torch
from torch import Tensor

from cliper.dense import faster_linears
from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.encoders.runtime.batching import Batches, auto_units
from cliper.encoders.runtime.onnx_towers import OnnxTowers
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.towers import Towers

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.float32,  # quantised from these
}


class Computing:
    """Token ids and pixels through towers: on their device, in batches that fit, by their runtime.

    Args:
        towers: moved, cast and kept in evaluation mode.
        pad: a token id that the text tower takes.
        preprocessing: of the image tower.
        settings: device, precision, batch size and runtime.
        digest: the encoder's hash; graphs are kept under it.
    """

    def __init__(
        self,
        towers: Towers,
        pad: int,
        preprocessing: ImagePreprocessing,
        settings: EncoderSettings,
        digest: str,
    ) -> None:
        self.settings, self._digest = settings, digest
        self._pad, self._preprocessing = pad, preprocessing
        self._device, self._dtype = torch.device(settings.device), DTYPES[settings.dtype]
        towers = towers.eval().requires_grad_(False).to(self._dtype)
        # Pictures arrive channels-last; with the convolutions in the same layout they take less
        # time on a CPU (CLIP's patches about a sixth) and give the same bits.
        self.towers: Towers = towers.to(  # type: ignore[call-overload]
            self._device, memory_format=torch.channels_last
        )

    def over(self, towers: Towers, digest: str) -> "Computing":
        """The same for other weights of the same architecture."""
        return Computing(towers, self._pad, self._preprocessing, self.settings, digest)

    def text(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Ids (b, L) and their mask to features (b, D), float32 on the CPU."""
        tower = self._computed_by.text
        with self._products:
            return self._texts(lambda i, m: tower(*self._moved(i, m)), ids, mask, each=ids.shape[1])

    def image(self, pixels: Tensor) -> Tensor:
        """Bytes (b, 3, H, W) to features (b, D), float32 on the CPU."""
        tower = self._computed_by.image
        with self._products:
            return self._images(lambda p: tower(self._normal(p)), pixels)

    @property
    def batch_sizes(self) -> tuple[int | None, int | None]:
        """Images and tokens of texts at once; None for what has not been computed yet."""
        one, other = (self.__dict__.get(name) for name in ("_images", "_texts"))
        return (None if one is None else one.units, None if other is None else other.units)

    @property
    def tokens_at_once(self) -> int:
        """How many tokens of texts make a batch."""
        return self._texts.units

    @property
    def images_at_once(self) -> int:
        """How many pictures make a batch."""
        return self._images.units

    @property
    def _products(self) -> AbstractContextManager[object]:
        # (Not around ONNX: what is exported inside the block would be traced through it.)
        return faster_linears() if self.settings.runtime == "torch" else nullcontext()

    @cached_property
    def _computed_by(self) -> Towers | OnnxTowers:
        if self.settings.runtime == "torch":
            return self.towers
        int8 = self.settings.dtype == "int8"
        return OnnxTowers(
            self.towers, self._digest, self._shape, int8=int8, graphs=self.settings.graphs
        )

    @cached_property
    def _texts(self) -> Batches:
        length, size = self.towers.max_tokens, self.settings.batch_size
        if size != "auto":
            return Batches(size * length)
        ids = torch.full((1, length), self._pad)

        def run(rows: int) -> None:
            many = ids.expand(rows, -1)
            self.towers.text(*self._moved(many, torch.ones_like(many)))

        return Batches(auto_units(run, self.towers, self._device, length))

    @cached_property
    def _images(self) -> Batches:
        if self.settings.batch_size != "auto":
            return Batches(self.settings.batch_size)
        pixels = torch.zeros(1, 3, *self._shape, dtype=torch.uint8)

        def run(rows: int) -> None:
            self.towers.image(self._normal(pixels.expand(rows, -1, -1, -1)))

        return Batches(auto_units(run, self.towers, self._device))

    @property
    def _shape(self) -> tuple[int, int]:
        shape = self._preprocessing.shape
        assert shape is not None  # pictures of several sizes could not be stacked
        return shape

    def _moved(self, ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        there = mask.to(self._device) if mask is not None and self.towers.masked else None
        return ids.to(self._device), there

    def _normal(self, pixels: Tensor) -> Tensor:
        return self._preprocessing.normalise(pixels.to(self._device)).to(self._dtype)
