"""Image files through an image tower: decoded in threads ahead of it, in batches."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from cliper import progress
from cliper.encoders.images import ImageFailure, Preprocess, decode_batches
from cliper.types import FloatArray


def encode_files(
    paths: Sequence[Path],
    preprocess: Preprocess,
    forward: Callable[[torch.Tensor], torch.Tensor],
    *,
    width: int,
    batch_size: int,
    workers: int,
    at_least: int | None = None,
) -> tuple[FloatArray, tuple[ImageFailure, ...]]:
    """Image files (n) to float32 (n, width), NaN where one cannot be used, and the failures.

    Args:
        paths: the files.
        preprocess: see `decode_batches`, as `at_least`.
        forward: bytes (b, 3, H, W) to rows (b, width).
        width: D.
        batch_size: pictures that are decoded together.
        workers: decoding threads.
    """
    out = np.full((len(paths), width), np.nan, dtype=np.float32)
    failures: list[ImageFailure] = []
    batches = decode_batches(paths, preprocess, batch_size, workers, at_least=at_least)
    with progress.task("encoding images", total=len(paths)) as task:
        for batch in batches:
            failures.extend(batch.failures)
            if len(batch.indices):
                out[batch.indices] = forward(batch.pixels).numpy()
            task.advance(len(batch.indices) + len(batch.failures))
    return out, tuple(failures)
