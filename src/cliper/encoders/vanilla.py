"""`vanilla`: independent unimodal features, what CLIPER is compared with (method, section 6).

One picture through an ImageNet network, one text with all there is to say through a sentence
encoder; nothing aligned, nothing fused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from cliper.data.dataset import Dataset
from cliper.encoders.content import Content
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.rows import fill
from cliper.encoders.runtime.choice import refuse_runtime
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import ABSENT, KeyArray, RowStore
from cliper.encoders.unimodal import Unimodal
from cliper.files import sha256_bytes
from cliper.tables import zeros
from cliper.types import BoolArray, FloatArray
from cliper.views import RenderedViews


@dataclass(frozen=True, eq=False)
class VanillaEncodings:
    """Unimodal features of N items.

    Attributes:
        items_hash: hash of the item vocabulary that row i refers to.
        image: float32 (N, 1280), zero where `image_present` (N,) is False.
        text: float32 (N, 384), zero where `text_present` (N,) is False.
        encoder_hash: of the weights of both networks.
        folder: beside which large ones lie (`cliper.tables`).
    """

    items_hash: str
    image: FloatArray
    image_present: BoolArray
    text: FloatArray
    text_present: BoolArray
    encoder_hash: str = ""
    folder: Path | None = None


def encode_vanilla(
    dataset: Dataset,
    views: RenderedViews,
    settings: EncoderSettings | None = None,
    *,
    on_report: Callable[[EncodeReport], None] | None = None,
) -> VanillaEncodings:
    """Encode `views.whole` and the pictures, or take them from the dataset's store.

    Arguments and errors as in `encode_dataset`; of the settings, how the networks run.
    """
    started = perf_counter()
    settings = settings or EncoderSettings()
    refuse_runtime(settings.runtime)
    report = EncodeReport("vanilla")
    content = Content.of(dataset, ["whole"], [views.whole])
    report.fail("no such file", content.gone)
    both = Unimodal(content.root, settings)
    content = fill(both, content, report)
    report.seconds = perf_counter() - started
    if on_report is not None:
        on_report(report)
    return VanillaEncodings(
        dataset.items.hash,
        _read(both.image_rows, content.image),
        content.image != ABSENT,
        _read(both.text_rows, content.keys[0]),
        content.keys[0] != ABSENT,
        sha256_bytes(f"{both.text.hash}; {both.image.hash}".encode()),
        content.root,
    )


def _read(store: RowStore, keys: KeyArray) -> FloatArray:
    return store.read(keys, zeros(len(keys), store.width, store.folder))
