"""From a dataset to what a backbone sees of its items, by way of the encoding store."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from cliper.data import Dataset
from cliper.encoders.base import Encodings
from cliper.encoders.encode import encode_dataset
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.limits import LongText
from cliper.encoders.vanilla import encode_vanilla
from cliper.errors import InputError
from cliper.experiments.config import ExperimentConfig
from cliper.representation import (
    ItemFeatures,
    cliper_features,
    random_features,
    vanilla_features,
)
from cliper.types import BoolArray, FloatArray
from cliper.views import RenderedViews, render

OnReport = Callable[[EncodeReport], None]


def represent(
    dataset: Dataset,
    encoder: str = "embedded",
    fusion: str = "attention",
    temperature: float | None = None,
    *,
    kind: str = "cliper",
    views: Sequence[str] | None = None,
    templates: Mapping[str, str] | None = None,
    normalize_views: bool = True,
    device: str = "cpu",
    dtype: str = "float32",
    batch_size: int = 64,
    long_text: LongText = "truncate",
    allow_download: bool = False,
    on_report: OnReport | None = None,
) -> ItemFeatures:
    """Represent a dataset's items; encodes what the dataset's store does not hold yet.

    Args:
        dataset: with a catalogue, or with the features that `prepare mmrec` brought.
        encoder: name of the dual encoder (`cliper` features only).
        fusion: `attention`, `sum`, `concat` or `mlp` (Eq. 3).
        temperature: τ of the attention; 0.1 when not given.
        kind: `cliper`, or `vanilla` for independent unimodal encoders and the whole text.
        views: view names, `global` among them if wanted; all usable fields and `global` if None.
        templates: field → prompt; the paper's, or one made from the field's name, if None.
        normalize_views: scale each view to length 1 before fusing.
        device, dtype, batch_size: how the encoder runs.
        long_text: `truncate` or `chunk-mean`, for texts over the encoder's limit.
        allow_download: fetch the weights of a hub model that is not in the local cache.
        on_report: called with what was encoded and what was reused.

    Raises:
        InputError: an unknown encoder, view or fusion; a dataset that has nothing to encode.

    >>> features = represent(dataset, fusion="concat")  # doctest: +SKIP
    """
    if "features" in dataset.about:
        return _given(dataset, kind, fusion, temperature, normalize_views, views)
    rendered = rendered_views(dataset, templates, views)
    running = {"device": device, "dtype": dtype, "batch_size": batch_size, "on_report": on_report}
    if kind == "vanilla":
        v = encode_vanilla(dataset, rendered, **running)  # type: ignore[arg-type]
        return vanilla_features(
            dataset.items.hash, v.image, v.image_present, v.text, v.text_present
        )
    encodings = encode_dataset(
        dataset,
        encoder,
        rendered,
        long_text=long_text,
        allow_download=allow_download,
        **running,  # type: ignore[arg-type]
    )
    return cliper_features(encodings, fusion, temperature, normalize_views)


def represent_experiment(
    dataset: Dataset, config: ExperimentConfig, on_report: OnReport | None = None
) -> ItemFeatures | None:
    """`represent` with the settings of an experiment; None for `features.kind: none`."""
    kind = config.features.kind
    if kind == "none":
        return None
    if kind == "random":
        features = random_features(
            dataset.items.hash, len(dataset.items), config.features.random_size, config.split_seed
        )
    else:
        attention = config.fusion.kind == "attention"
        features = represent(
            dataset,
            config.encoder.name,
            config.fusion.kind,
            float(config.fusion.temperature) if attention else None,
            kind=kind,
            views=config.views.include,
            templates=config.views.templates,
            normalize_views=config.features.normalize_views,
            device=config.encoder.device,
            dtype=config.encoder.dtype,
            batch_size=config.encoder.batch_size,
            long_text=config.encoder.long_text,
            allow_download=config.encoder.allow_download,
            on_report=on_report,
        )
    return features.only(*config.features.modalities)


def rendered_views(
    dataset: Dataset,
    templates: Mapping[str, str] | None = None,
    include: Sequence[str] | None = None,
) -> RenderedViews:
    """The views of a dataset's catalogue as text.

    Raises:
        InputError: the dataset has no catalogue.
    """
    if dataset.catalogue is None:
        raise InputError(
            "the dataset has interactions alone, nothing to represent items by",
            where=dataset.name,
            remedy="prepare it with --items, or train with --features none",
        )
    return render(dataset.catalogue, templates, include)


def given_encodings(dataset: Dataset) -> Encodings:
    """The features of `prepare mmrec` as encodings: view j is `view-j`, a zero row is absent."""
    image, text = (_given_array(dataset, m) for m in ("image", "text"))
    if text is None or text.ndim != 3:
        raise InputError(
            "the given text features are one vector an item, there are no views to weigh",
            where=dataset.name,
            remedy="use --features vanilla, or give text_feat.npy as views × items × width",
        )
    if image is None or image.shape[1] != text.shape[2]:
        raise InputError(
            "views are weighted by their similarity to the image, in one space; the given image "
            f"features are {'missing' if image is None else image.shape}",
            where=dataset.name,
            remedy=f"give image_feat.npy as items × {text.shape[2]}",
        )
    names = tuple(f"view-{j}" for j in range(len(text)))
    key = dataset.about["features"]["text"]["sha256"]
    return Encodings(
        dataset.items.hash, "given", key, names,
        text, _present(text), image, _present(image),
    )  # fmt: skip


def _given(
    dataset: Dataset,
    kind: str,
    fusion: str,
    temperature: float | None,
    normalize_views: bool,
    views: Sequence[str] | None,
) -> ItemFeatures:
    if kind == "cliper":
        encodings = given_encodings(dataset)
        return cliper_features(encodings, fusion, temperature, normalize_views, views)
    arrays = {m: _given_array(dataset, m) for m in ("image", "text")}
    flat = {m: a if a.ndim == 2 else a.mean(axis=0) for m, a in arrays.items() if a is not None}
    whole = {m: flat.get(m, np.zeros((len(dataset.items), 1), np.float32)) for m in arrays}
    features = vanilla_features(
        dataset.items.hash,
        whole["image"], _present(whole["image"]),
        whole["text"], _present(whole["text"]),
        encoder="given",
    )  # fmt: skip
    return features.only(*(m for m in features.modalities if m in flat))


def _present(rows: FloatArray) -> BoolArray:
    """A row of zeros stands for nothing."""
    return np.asarray(rows.any(axis=-1))


def _given_array(dataset: Dataset, modality: str) -> FloatArray | None:
    if modality not in dataset.about["features"] or dataset.path is None:
        return None
    path = dataset.path / dataset.about["features"][modality]["file"]
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False), dtype=np.float32)
