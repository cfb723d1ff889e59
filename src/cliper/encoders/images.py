"""Image files to batches of pixels: any mode to RGB, decoding overlapped with computing."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from cliper.data.pictures import MAX_BYTES, PictureError, read_picture
from cliper.types import IndexArray

Pixels = npt.NDArray[Any]
Preprocess = Callable[[Image.Image], Pixels]

_REASONS = {
    "kind": "not an image",
    "pixels": "too many pixels",
    "costly": "too costly to decode",
    "memory": "out of memory",
    "damaged": "broken or truncated",
    "truncated": "broken or truncated",
}


class ImageError(Exception):
    """One picture cannot be used; the message is the reason, the same for all alike."""


@dataclass(frozen=True)
class ImageFailure:
    """A picture that could not be used, and why.

    Attributes:
        index: its position among the paths asked for.
        reason: one of a few fixed phrases, so that failures can be counted.
    """

    index: int
    reason: str


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Some pictures, preprocessed.

    Attributes:
        indices: int64 (b,), positions among the paths asked for, increasing.
        pixels: (b, 3, H, W) in channels-last layout, of the dtype that `preprocess` gives.
        failures: the pictures of this stretch of paths that could not be used.
    """

    indices: IndexArray
    pixels: torch.Tensor
    failures: tuple[ImageFailure, ...]


def open_rgb(path: Path, at_least: int | None = None) -> Image.Image:
    """Decode one picture to 8-bit RGB, upright.

    Greyscale, palette and CMYK are converted, 16-bit greyscale is scaled (not clipped),
    transparency is laid on white (what a shop's page shows behind it), the EXIF orientation is
    applied, and of an animation the first frame is taken.

    Args:
        path: the file.
        at_least: a JPEG may be decoded at a reduced scale as long as both of its sides keep
            this many pixels (its own inverse transform at 1/2, 1/4 or 1/8: much faster).

    Raises:
        ImageError: missing, unreadable, truncated, or not to be decoded (`cliper.data.pictures`).
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImageError("too costly to decode")
        data = path.read_bytes()
    except (FileNotFoundError, ValueError):  # a path with a zero byte
        raise ImageError("no such file") from None
    except OSError:
        raise ImageError("not readable") from None
    return decode_rgb(data, at_least)


def decode_rgb(data: bytes, at_least: int | None = None) -> Image.Image:
    """`open_rgb` for the bytes of a file."""
    try:
        return read_picture(data, at_least)
    except PictureError as error:
        raise ImageError(_REASONS[error.cause]) from None


def decode_batches(
    paths: Sequence[Path],
    preprocess: Preprocess,
    batch_size: int,
    workers: int = 2,
    *,
    at_least: int | None = None,
) -> Iterator[ImageBatch]:
    """Batches of preprocessed pictures in order, decoded in threads ahead of the consumer.

    At most two batches are decoded ahead, whatever the consumer's pace, so memory is bounded.
    Every path ends either in a batch or among its failures; a batch may be empty.

    Args:
        paths: n image files.
        preprocess: RGB image to an array (H, W, 3), the same shape for all.
        batch_size: pictures a batch.
        workers: decoding threads (Pillow decodes outside the interpreter's lock).
        at_least: see `open_rgb`.
    """

    def load(path: Path) -> Pixels | str:
        try:
            return preprocess(open_rgb(path, at_least))
        except ImageError as error:
            return str(error)

    pool = ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="decode")
    waiting: deque[Future[Pixels | str]] = deque()
    try:
        submitted = 0
        for start in range(0, len(paths), batch_size):
            ahead = min(len(paths), start + 3 * batch_size)
            while submitted < ahead:
                waiting.append(pool.submit(load, paths[submitted]))
                submitted += 1
            size = min(batch_size, len(paths) - start)
            yield _batch(start, [waiting.popleft().result() for _ in range(size)])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _batch(start: int, results: Sequence[Pixels | str]) -> ImageBatch:
    good = [i for i, result in enumerate(results) if not isinstance(result, str)]
    failures = tuple(
        ImageFailure(start + i, result)
        for i, result in enumerate(results)
        if isinstance(result, str)
    )
    if not good:
        return ImageBatch(np.empty(0, np.int64), torch.empty(0, 3, 0, 0), failures)
    stacked = np.stack([results[i] for i in good])  # (b, H, W, 3): channels-last as it lies
    pixels = torch.from_numpy(stacked).permute(0, 3, 1, 2)
    return ImageBatch(np.asarray(good, dtype=np.int64) + start, pixels, failures)
