"""`vanilla`: independent unimodal features, what CLIPER is compared with (method, section 6).

One picture through an ImageNet network, one text with all there is to say through a sentence
encoder; nothing aligned, nothing fused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from cliper.data.dataset import Dataset
from cliper.encoders.encode_content import (
    Views,
    content,
    encoded,
    path_lookup,
    store_root,
    text_lookup,
)
from cliper.encoders.encode_fill import count_failures, fill_images, fill_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.runtime.batching import BatchSize
from cliper.encoders.runtime.choice import refuse_runtime
from cliper.encoders.store import ABSENT
from cliper.encoders.unimodal import Unimodal
from cliper.types import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class VanillaEncodings:
    """Unimodal features of N items.

    Attributes:
        items_hash: hash of the item vocabulary that row i refers to.
        image: float32 (N, 1280), zero where `image_present` (N,) is False.
        text: float32 (N, 384), zero where `text_present` (N,) is False.
    """

    items_hash: str
    image: FloatArray
    image_present: BoolArray
    text: FloatArray
    text_present: BoolArray


def encode_vanilla(
    dataset: Dataset,
    views: Views,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: BatchSize = "auto",
    runtime: str = "torch",
    on_report: Callable[[EncodeReport], None] | None = None,
) -> VanillaEncodings:
    """Encode `views.whole` and the pictures, or take them from the dataset's store.

    Arguments and errors as in `encode_dataset`; only `views.whole` is encoded.
    """
    started = perf_counter()
    refuse_runtime(runtime)
    report = EncodeReport("vanilla")
    keys, image, paths, gone = content(dataset, [views.whole])
    report.fail("no such file", gone)
    both = Unimodal(store_root(dataset), device, dtype, batch_size)
    fill_texts(both.text_rows, keys.ravel(), text_lookup([views.whole]), both.encode_text, report)
    report.truncated_texts += both.truncated
    fill_images(
        both.image_rows, both.failed, image, path_lookup(paths), both.image.encode_image, report
    )
    count_failures(both.image_rows, both.failed, image, report)
    report.images_at_once, report.tokens_at_once = both.batch_sizes
    image = encoded(both.image_rows, image)
    report.seconds = perf_counter() - started
    if on_report is not None:
        on_report(report)
    return VanillaEncodings(
        dataset.items.hash,
        both.image_rows.read(image),
        image != ABSENT,
        both.text_rows.read(keys[0]),
        keys[0] != ABSENT,
    )
