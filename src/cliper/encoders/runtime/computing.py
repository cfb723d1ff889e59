"""`Computing`: a family's towers where and how they are computed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from cliper.encoders.runtime.batching import Batches, BatchSize, auto_units, checked_batch_size
from cliper.encoders.runtime.choice import check_runtime, precision_key
from cliper.encoders.runtime.onnx_towers import OnnxTowers
from cliper.encoders.runtime.packed import pack_linears, unpack_linears
from cliper.encoders.towers import Towers

DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "int8": torch.float32,  # quantised from these
}


@dataclass(frozen=True)
class How:
    """What a person may choose about the computing.

    Attributes:
        device: where.
        dtype: in which precision.
        batch_size: images at once, or `auto`; texts get as many tokens as so many longest texts.
        runtime: `torch` or `onnx`.
        graphs: where the runtime `onnx` keeps its graphs; None for a temporary folder.

    Raises:
        InputError: what does not go together.
    """

    device: str = "cpu"
    dtype: str = "float32"
    batch_size: BatchSize = "auto"
    runtime: str = "torch"
    graphs: Path | None = None

    def __post_init__(self) -> None:
        check_runtime(self.runtime, self.dtype, torch.device(self.device).type)
        checked_batch_size(self.batch_size)

    @property
    def key(self) -> str:
        """What of it changes the numbers, for an encoder's hash."""
        return precision_key(self.runtime, self.dtype)


@dataclass(frozen=True)
class Inputs:
    """What goes into the towers.

    Attributes:
        pad: a token id that every text tower takes.
        image_shape: (height, width) of pictures.
        normalise: bytes (b, 3, H, W) to what the image tower wants, float32.
    """

    pad: int
    image_shape: tuple[int, int] | None
    normalise: Callable[[Tensor], Tensor]


class Computing:
    """Token ids and pixels through towers: on their device, in batches that fit, by their runtime.

    Args:
        towers: moved, cast and kept in evaluation mode.
        inputs: what goes into them.
        how: what was chosen.
        digest: the encoder's hash; graphs are kept under it.
    """

    def __init__(self, towers: Towers, inputs: Inputs, how: How, digest: str) -> None:
        self.how, self._inputs, self._digest = how, inputs, digest
        self._device, self._dtype = torch.device(how.device), DTYPES[how.dtype]
        towers = towers.eval().requires_grad_(False).to(self._dtype)
        # Pictures arrive channels-last; with the convolutions in the same layout they take less
        # time on a CPU (CLIP's patches about a sixth) and give the same bits.
        self._towers: Towers = towers.to(  # type: ignore[call-overload]
            self._device, memory_format=torch.channels_last
        )
        self._onnx: OnnxTowers | None = None
        self._texts: Batches | None = None
        self._images: Batches | None = None

    @property
    def towers(self) -> Towers:
        """The towers with their weights as they were given, so that they can be read or trained.

        The next text or picture packs them again.
        """
        unpack_linears(self._towers)
        return self._towers

    @property
    def batch_sizes(self) -> tuple[int | None, int | None]:
        """Images and tokens of texts at once; None for what has not been computed yet."""
        one, other = self._images, self._texts
        return (None if one is None else one.units, None if other is None else other.units)

    def over(self, towers: Towers, digest: str) -> "Computing":
        """The same for other weights of the same architecture."""
        return Computing(towers, self._inputs, self.how, digest)

    def text(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Ids (b, L) and their mask to features (b, D), float32 on the CPU."""
        tower, length = self._ready().text, ids.shape[1]
        batches = self._batches_of_texts()
        return batches(lambda i, m: tower(*self._moved(i, m)), ids, mask, each=length)

    def image(self, pixels: Tensor) -> Tensor:
        """Bytes (b, 3, H, W) to features (b, D), float32 on the CPU."""
        tower = self._ready().image
        return self._batches_of_images()(lambda p: tower(self._normal(p)), pixels)

    @property
    def padded_to(self) -> int | None:
        """See `Towers`."""
        return self._towers.padded_to

    @property
    def tokens_at_once(self) -> int:
        """How many tokens of texts make a batch."""
        return self._batches_of_texts().units

    @property
    def images_at_once(self) -> int:
        """How many pictures make a batch."""
        return self._batches_of_images().units

    def _ready(self) -> Towers | OnnxTowers:
        if self.how.runtime == "torch":
            pack_linears(self._towers)
            return self._towers
        if self._onnx is None:
            int8, graphs = self.how.dtype == "int8", self.how.graphs
            self._onnx = OnnxTowers(
                self._towers, self._digest, self._shape(), int8=int8, graphs=graphs
            )
        return self._onnx

    def _batches_of_texts(self) -> Batches:
        if self._texts is None:
            length, size = self._towers.max_tokens, self.how.batch_size
            ids = torch.full((1, length), self._inputs.pad)

            def run(rows: int) -> None:
                many = ids.expand(rows, -1)
                self._towers.text(*self._moved(many, torch.ones_like(many)))

            self._texts = Batches(
                auto_units(run, self._towers, self._device, length)
                if size == "auto"
                else size * length
            )
        return self._texts

    def _batches_of_images(self) -> Batches:
        if self._images is None:
            size, pixels = self.how.batch_size, torch.zeros(1, 3, *self._shape(), dtype=torch.uint8)

            def run(rows: int) -> None:
                self._towers.image(self._normal(pixels.expand(rows, -1, -1, -1)))

            self._images = Batches(
                auto_units(run, self._towers, self._device) if size == "auto" else size
            )
        return self._images

    def _shape(self) -> tuple[int, int]:
        shape = self._inputs.image_shape
        assert shape is not None  # pictures of several sizes could not be stacked
        return shape

    def _moved(self, ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        there = mask.to(self._device) if mask is not None and self._towers.masked else None
        return ids.to(self._device), there

    def _normal(self, pixels: Tensor) -> Tensor:
        return self._inputs.normalise(pixels.to(self._device)).to(self._dtype)
