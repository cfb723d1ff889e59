"""Image preprocessing of every family, read from the file that travels with the weights.

Done with Pillow rather than with `transformers`' processors: these need torchvision or run image
by image through NumPy, and their choice of resizer depends on what is installed. The rule is
theirs (resize, crop the centre, rescale, normalise; each step as the file says); tests hold it to
theirs.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from cliper.errors import InputError
from cliper.files import read_json
from cliper.types import JsonObject

Triple = tuple[float, float, float]

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
_HALF = (0.5, 0.5, 0.5)
PREPROCESSING_FILE = "preprocessor_config.json"
PROCESSOR_FILE = "processor_config.json"

# What a file leaves unsaid depends on the processor that it names. `square`: a size that is one
# number means both sides, not the shorter one.
_CLIP: JsonObject = {
    "size": {"shortest_edge": 224}, "square": False, "crop_size": 224, "do_center_crop": True,
    "resample": 3, "mean": OPENAI_MEAN, "std": OPENAI_STD,
}  # fmt: skip
_USUAL: dict[str, JsonObject] = {
    "CLIPImageProcessor": _CLIP,
    "ChineseCLIPImageProcessor": _CLIP,
    "SiglipImageProcessor": {
        **_CLIP, "size": {"height": 224, "width": 224}, "do_center_crop": False,
        "mean": _HALF, "std": _HALF,
    },
    "BlipImageProcessor": {
        **_CLIP, "size": {"height": 384, "width": 384}, "square": True, "do_center_crop": False,
    },
    "EfficientNetImageProcessor": {
        "size": {"height": 346, "width": 346}, "square": True, "crop_size": 289,
        "do_center_crop": False, "resample": 3, "mean": _HALF, "std": _HALF, "include_top": True,
    },
}  # fmt: skip

# A picture this much longer than wide loses its far ends before resizing: at 224 pixels on the
# short side a 1 x 50,000 strip would otherwise become an image of 2.5 gigapixels.
_MAX_ASPECT = 16


@dataclass(frozen=True)
class ImagePreprocessing:
    """From a picture to the pixels that the image tower was trained on.

    Attributes:
        resize: shorter side in pixels, or (height, width); None leaves the size alone.
        crop: (height, width) of the centre that is kept; None keeps all.
        resample: Pillow's number of the resampling filter (3 is bicubic).
        scale: what a byte is multiplied with, 1/255 as a rule.
        mean, std: per channel, after scaling.
    """

    resize: int | tuple[int, int] | None = 224
    crop: tuple[int, int] | None = (224, 224)
    resample: int = 3
    scale: float = 1 / 255
    mean: Triple = OPENAI_MEAN
    std: Triple = OPENAI_STD

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) of the result; None where it depends on the picture."""
        return self.crop or (self.resize if isinstance(self.resize, tuple) else None)

    def crop_pixels(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """An RGB picture to bytes (H, W, 3); the part that is done per picture, in threads."""
        if self.resize is not None:
            image = self._resized(image)
        if self.crop is not None:
            image = _centre(image, *self.crop)
        return np.asarray(image, dtype=np.uint8)

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes (b, 3, H, W) to float32 of the same shape and memory layout."""
        mean = torch.tensor(self.mean, device=pixels.device).view(1, 3, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(1, 3, 1, 1)
        return (pixels.float() * self.scale - mean) / std

    def to_json(self) -> JsonObject:
        """All settings, for the encoder's hash."""
        return asdict(self)

    def _resized(self, image: Image.Image) -> Image.Image:
        resample = Image.Resampling(self.resample)
        if isinstance(self.resize, tuple):
            height, width = self.resize
            return image.resize((width, height), resample)
        assert self.resize is not None
        short = min(image.size)
        longest = short * _MAX_ASPECT
        if max(image.size) > longest and self.crop is not None:
            image = _centre(image, min(image.height, longest), min(image.width, longest))
        # Truncated, not rounded, as CLIP's own preprocessing does.
        width, height = (
            self.resize if side == short else int(self.resize * side / short) for side in image.size
        )
        return image.resize((width, height), resample)


def load_preprocessing(folder: Path, usual: str = "CLIPImageProcessor") -> ImagePreprocessing:
    """Read `preprocessor_config.json`, or the image part of a `processor_config.json`.

    Args:
        folder: holds the file.
        usual: the processor that is meant where the file names none.

    Raises:
        InputError: both are missing, or ask for something that no family's preprocessing does.
    """
    path, joint = folder / PREPROCESSING_FILE, folder / PROCESSOR_FILE
    if path.is_file():
        return parse_preprocessing(read_json(path), where=str(path), usual=usual)
    if joint.is_file():  # what newer versions of transformers write
        state = read_json(joint)
        part = state.get("image_processor") if isinstance(state, dict) else None
        return parse_preprocessing(part, where=str(joint), usual=usual)
    raise InputError(
        f"no {PREPROCESSING_FILE}",
        where=str(folder),
        remedy="copy the one that was published with the weights",
    )


def parse_preprocessing(
    settings: Any, *, where: str, usual: str = "CLIPImageProcessor"
) -> ImagePreprocessing:
    """The settings of an image processor, in today's spelling or the old one."""
    if not isinstance(settings, dict):
        raise InputError("not an object", where=where)
    kind = settings.get("image_processor_type") or settings.get("feature_extractor_type") or usual
    kind = str(kind).removesuffix("Fast").removesuffix("Pil")
    kind = kind.replace("FeatureExtractor", "ImageProcessor")
    if kind not in _USUAL:
        raise InputError(
            f"{kind} is not a known preprocessing",
            where=where,
            remedy=f"one of {', '.join(_USUAL)}",
        )
    if settings.get("do_pad"):
        raise InputError("do_pad is not supported", where=where)
    defaults = _USUAL[kind]
    given = {**defaults, **settings}
    try:
        mean, std = _affine(given, defaults)
        found = ImagePreprocessing(
            resize=_resize_of(given["size"], given["square"]) if _on(given, "do_resize") else None,
            crop=_pair(given["crop_size"]) if given["do_center_crop"] else None,
            resample=int(given["resample"]),
            scale=float(given.get("rescale_factor", 1 / 255)) if _on(given, "do_rescale") else 1.0,
            mean=mean,
            std=std,
        )
        Image.Resampling(found.resample)
        if any(one is not None and np.min(one) < 1 for one in (found.resize, found.crop)):
            raise ValueError("a side below one pixel")
        if not all(map(math.isfinite, (found.scale, *mean, *std))) or 0 in std:
            raise ValueError("numbers that cannot be normalised with")
        return found
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"cannot be read as preprocessing: {error!r}", where=where) from None


def _on(settings: JsonObject, switch: str) -> bool:
    return bool(settings.get(switch, True))


def _affine(given: JsonObject, defaults: JsonObject) -> tuple[Triple, Triple]:
    """Mean and deviation of all steps after scaling, of which EfficientNet's has up to three."""
    mean: Triple = (0.0, 0.0, 0.0)
    std: Triple = (1.0, 1.0, 1.0)
    deviation = _triple(given.get("image_std") or defaults["std"])
    if _on(given, "do_normalize"):
        mean, std = _triple(given.get("image_mean") or defaults["mean"]), deviation
    if given.get("include_top"):  # divided by the deviation once more
        std = _triple(a * b for a, b in zip(std, deviation, strict=True))
    if given.get("rescale_offset") and _on(
        given, "do_rescale"
    ):  # bytes to -1 … 1 rather than to 0 … 2
        mean = _triple(m + 1 for m in mean)
    return mean, std


def _resize_of(size: Any, square: bool) -> int | tuple[int, int]:
    if isinstance(size, dict) and "shortest_edge" in size:
        if "longest_edge" in size:
            raise ValueError("longest_edge")
        return int(size["shortest_edge"])
    return int(size) if isinstance(size, int) and not square else _pair(size)


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, dict):
        return int(size["height"]), int(size["width"])
    return int(size), int(size)


def _triple(values: Any) -> Triple:
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _centre(image: Image.Image, height: int, width: int) -> Image.Image:
    # What lies outside a smaller picture is black, the odd pixel of it below and to the right.
    left = _start(image.width, width)
    top = _start(image.height, height)
    return image.crop((left, top, left + width, top + height))


def _start(have: int, want: int) -> int:
    return (have - want) // 2 if have >= want else -math.ceil((want - have) / 2)
