"""A dataset through an encoder, by way of its store: nothing is encoded twice."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

from cliper.data.dataset import Dataset
from cliper.encoders.adaptation.config import AdaptationConfig
from cliper.encoders.adaptation.encode_adapted import encode_adapted, find_adapted
from cliper.encoders.assembled import load_assembled
from cliper.encoders.base import Encodings
from cliper.encoders.encode_content import GRAPHS, Views, content, store_root
from cliper.encoders.encode_dual import encode_dual, find_dual
from cliper.encoders.encode_embedded import encode_embedded, find_embedded, refuse_weights
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.limits import LongText
from cliper.encoders.registry import available_device, create_encoder
from cliper.encoders.runtime.batching import BatchSize
from cliper.encoders.runtime.choice import refuse_runtime
from cliper.errors import InputError
from cliper.types import BoolArray

OnReport = Callable[[EncodeReport], None]


def encode_dataset(
    dataset: Dataset,
    encoder_name: str,
    views: Views,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: BatchSize = "auto",
    runtime: str = "torch",
    seed: int = 0,
    weights: Path | None = None,
    long_text: LongText = "truncate",
    allow_download: bool = False,
    adapt: AdaptationConfig | None = None,
    fit_on: BoolArray | None = None,
    on_report: OnReport | None = None,
) -> Encodings:
    """Every view and picture of a dataset in an encoder's space, memory-mapped.

    What the dataset's store holds already is reused, whatever item or template it came from;
    interrupted work resumes after its last chunk. A picture that cannot be used is counted in
    the report and its item is treated as one without.

    Args:
        dataset: with a catalogue and a directory.
        encoder_name: `embedded`, or any that `create_encoder` knows.
        views: the rendered views, item by item in the catalogue's order.
        device: where to compute.
        dtype: of the networks.
        batch_size: passed to the encoder, see `create_encoder`.
        runtime: `torch`, or `onnx`, which keeps its graphs in the store.
        seed: of `embedded`'s fit; no other encoder draws anything.
        weights: a folder or file to take the encoder from, instead of the hub's cache.
        long_text: `truncate` or `chunk-mean`, for texts over the encoder's limit.
        allow_download: fetch the weights of a hub model that is not in the local cache.
        adapt: adapt the encoder to this catalogue first, see `cliper.encoders.adaptation`.
        fit_on: bool (N,), the items that an adaptation with `fit_on: train` may see.
        on_report: called once with what was done.

    Raises:
        InputError: no catalogue, no directory, an unknown encoder, weights that are not there,
            an adaptation of `embedded`, `fit_on` without a use for it.
        MismatchError: the views are another catalogue's.
    """
    started = perf_counter()
    _check(encoder_name, adapt, fit_on)
    keys, image, paths, gone = content(dataset, views.texts)
    report = EncodeReport(encoder_name)
    report.fail("no such file", gone)
    make = partial(
        create_encoder, encoder_name, weights=weights, device=device, batch_size=batch_size,
        runtime=runtime, graphs=store_root(dataset) / GRAPHS,
        long_text=long_text, allow_download=allow_download,
    )  # fmt: skip
    if encoder_name == "embedded":
        refuse_weights(weights)
        refuse_runtime(runtime)
        if long_text != "truncate":
            raise InputError(
                f"long_text {long_text!r} has no effect on 'embedded', which truncates",
                where="encoder.long_text",
                remedy="leave it out, or use an encoder of the CLIP family",
            )
        folder = encode_embedded(
            store_root(dataset), dataset.items.hash, views, keys, image, paths, report,
            device=device, dtype=dtype, batch_size=batch_size, seed=seed,
        )  # fmt: skip
    elif adapt is not None:
        folder = encode_adapted(
            lambda d: make(dtype=d), dtype, store_root(dataset), dataset.items.hash,
            views, keys, image, paths, adapt, report,
            device=available_device(device), fit_on=fit_on,
        )  # fmt: skip
    else:
        folder = encode_dual(
            make(dtype=dtype), store_root(dataset), dataset.items.hash,
            views, keys, image, paths, report,
        )  # fmt: skip
    report.seconds = perf_counter() - started
    if on_report is not None:
        on_report(report)
    return _belonging_to(dataset, load_assembled(folder))


def load_encodings(
    dataset: Dataset,
    encoder: str,
    views: Views,
    *,
    weights: Path | None = None,
    dtype: str = "float32",
    runtime: str = "torch",
    seed: int = 0,
    long_text: LongText = "truncate",
    adapt: AdaptationConfig | None = None,
    fit_on: BoolArray | None = None,
) -> Encodings:
    """What `encode_dataset` made of exactly these views and pictures, memory-mapped.

    Raises:
        InputError: the store does not have it; the message names the command that makes it.
    """
    _check(encoder, adapt, fit_on)
    keys, image, paths, _ = content(dataset, views.texts)
    root = store_root(dataset)
    make = partial(
        create_encoder, encoder, weights=weights, long_text=long_text,
        runtime=runtime, graphs=root / GRAPHS,
    )  # fmt: skip
    if encoder == "embedded":
        folder = find_embedded(root, views.names, keys, image, dtype=dtype, seed=seed)
    elif adapt is not None:
        folder = find_adapted(
            lambda d: make(dtype=d), dtype, root,
            views, keys, image, paths, adapt, fit_on,
        )  # fmt: skip
    else:
        folder = find_dual(root, make(dtype=dtype), views.names, keys, image)
    how = "" if adapt is None else f" --adapt {adapt.kind}"
    if not (folder / "about.json").is_file():
        raise InputError(
            f"these views are not encoded with {encoder!r} yet",
            where=str(root),
            remedy=f"run 'cliper encode {dataset.path} --encoder {encoder}{how}'",
        )
    return _belonging_to(dataset, load_assembled(folder))


def _check(encoder: str, adapt: AdaptationConfig | None, fit_on: BoolArray | None) -> None:
    """Refuse an adaptation that makes no sense, before anything costly is done."""
    wanted = adapt is not None and adapt.fit_on == "train"
    if wanted != (fit_on is not None):
        raise InputError(
            "'train' needs a split, and has none here" if wanted else "is not 'train'",
            where="encoder.adapt.fit_on",
            remedy="leave it out, or set it for 'train', 'compare' or 'run'",
        )
    if adapt is not None and encoder == "embedded":
        raise InputError(
            "'embedded' is fitted on this catalogue already, there is nothing to adapt it to",
            where="encoder.adapt",
            remedy="leave it out, or adapt a pre-trained encoder",
        )


def _belonging_to(dataset: Dataset, encodings: Encodings) -> Encodings:
    """The encodings under the dataset's ids.

    They are found by content, row by row, so items that were only renamed find the same folder.
    """
    return replace(encodings, items_hash=dataset.items.hash)
