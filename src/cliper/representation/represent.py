"""From a dataset to what a backbone sees of its items, by way of the encoding store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cliper.data import Dataset
from cliper.encoders.adaptation import AdaptationConfig
from cliper.encoders.base import Encodings
from cliper.encoders.encode import OnReport, encode_dataset
from cliper.encoders.limits import LongText
from cliper.encoders.runtime.batching import BatchSize
from cliper.encoders.vanilla import encode_vanilla
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures
from cliper.representation.from_encodings import (
    choose_views,
    cliper_features,
    random_features,
    vanilla_features,
)
from cliper.representation.given import GIVEN, given_features
from cliper.representation.settings import RepresentationSettings
from cliper.types import BoolArray
from cliper.views import RenderedViews, render


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
    batch_size: BatchSize = "auto",
    runtime: str = "torch",
    weights: Path | None = None,
    long_text: LongText = "truncate",
    allow_download: bool = False,
    adapt: AdaptationConfig | None = None,
    fit_on: BoolArray | None = None,
    on_report: OnReport | None = None,
    threshold: float | None = None,
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
        device, dtype, batch_size, runtime: how the encoder runs, see `create_encoder`.
        weights: a folder or file to take the encoder from, instead of the hub's cache.
        long_text: `truncate` or `chunk-mean`, for texts over the encoder's limit.
        allow_download: fetch the weights of a hub model that is not in the local cache.
        adapt: adapt the encoder to this catalogue first (`cliper.encoders.adaptation`).
        fit_on: bool (N,), the items that an adaptation with `fit_on: train` may see.
        on_report: called with what was encoded and what was reused.
        threshold: of the attention: views less similar to the image are masked, the best stays.

    Raises:
        InputError: an unknown encoder, view or fusion; a dataset that has nothing to encode.

    >>> features = represent(dataset, fusion="concat")  # doctest: +SKIP
    """
    if "features" in dataset.about:
        if templates is not None or encoder not in ("embedded", GIVEN):
            raise InputError(
                "the dataset brings its own features, an encoder or a template has no effect",
                where=dataset.name,
                remedy="leave them out",
            )
        return _given(dataset, kind, fusion, temperature, normalize_views, views, threshold)
    rendered = rendered_views(dataset, templates, views)
    running = {
        "device": device,
        "dtype": dtype,
        "batch_size": batch_size,
        "runtime": runtime,
        "on_report": on_report,
    }
    if kind == "vanilla":
        v = encode_vanilla(dataset, rendered, **running)  # type: ignore[arg-type]
        return vanilla_features(
            dataset.items.hash, v.image, v.image_present, v.text, v.text_present
        )
    encodings = encode_dataset(
        dataset,
        encoder,
        rendered,
        weights=weights,
        long_text=long_text,
        allow_download=allow_download,
        adapt=adapt,
        fit_on=fit_on,
        **running,  # type: ignore[arg-type]
    )
    return cliper_features(encodings, fusion, temperature, normalize_views, threshold=threshold)


def represent_dataset(
    dataset: Dataset, settings: RepresentationSettings, on_report: OnReport | None = None
) -> ItemFeatures | None:
    """`represent` as settings say, of the modalities that they name; None for kind `none`."""
    kind, fusion, encoder = settings.features.kind, settings.fusion, settings.encoder
    if kind == "none":
        return None
    if kind == "random":
        width, seed = settings.features.random_size, settings.split.seed or 0
        features = random_features(dataset.items.hash, len(dataset.items), width, seed)
    else:
        attention = fusion.kind == "attention"
        features = represent(
            dataset,
            encoder.name,
            fusion.kind,
            float(fusion.temperature) if attention else None,
            kind=kind,
            views=settings.views.include,
            templates=settings.views.templates,
            normalize_views=settings.features.normalize_views,
            device=encoder.device,
            dtype=encoder.dtype,
            batch_size=encoder.batch_size,
            runtime=encoder.runtime,
            weights=encoder.weights_path,
            long_text=encoder.long_text,
            allow_download=encoder.allow_download,
            adapt=encoder.adapt,
            fit_on=items_in_training(dataset, settings),
            on_report=on_report,
            threshold=fusion.threshold if attention else None,
        )
    wanted = settings.features.modalities
    if "modalities" not in settings.features.model_fields_set:
        wanted = [m for m in wanted if m in features.modalities]
    return features.only(*wanted)


def encode_views(
    dataset: Dataset,
    settings: RepresentationSettings,
    views: RenderedViews,
    on_report: OnReport | None = None,
) -> Encodings:
    """`encode_dataset` as settings say."""
    encoder = settings.encoder
    return encode_dataset(
        dataset,
        encoder.name,
        views,
        weights=encoder.weights_path,
        device=encoder.device,
        dtype=encoder.dtype,
        batch_size=encoder.batch_size,
        runtime=encoder.runtime,
        long_text=encoder.long_text,
        allow_download=encoder.allow_download,
        adapt=encoder.adapt,
        fit_on=items_in_training(dataset, settings),
        on_report=on_report,
    )


def encodings_of(
    dataset: Dataset, settings: RepresentationSettings, on_report: OnReport | None = None
) -> Encodings:
    """What `cliper` features are made of, before similarity and fusion: views and pictures.

    Raises:
        InputError: the dataset has nothing to encode, or brought features without views.
    """
    views = settings.views
    if "features" not in dataset.about:
        rendered = rendered_views(dataset, views.templates, views.include)
        return encode_views(dataset, settings, rendered, on_report)
    given = given_features(dataset)
    if isinstance(given, ItemFeatures):
        raise _no_views(dataset)
    names, chosen = choose_views(given.views, views.include)
    return replace(
        given, views=names, text=given.text[chosen], text_present=given.text_present[chosen]
    )


def items_in_training(dataset: Dataset, settings: RepresentationSettings) -> BoolArray | None:
    """For an adaptation with `fit_on: train`: items (N,) that have a training interaction."""
    adapt = settings.encoder.adapt
    if adapt is None or adapt.fit_on == "all":
        return None
    return settings.split.of(dataset).train.item_counts() > 0


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


def _given(
    dataset: Dataset,
    kind: str,
    fusion: str,
    temperature: float | None,
    normalize_views: bool,
    views: Sequence[str] | None,
    threshold: float | None,
) -> ItemFeatures:
    """The features of `prepare mmrec`; vanilla text of several views is their mean."""
    given = given_features(dataset)
    if kind == "cliper":
        if isinstance(given, ItemFeatures):
            raise _no_views(dataset)
        return cliper_features(given, fusion, temperature, normalize_views, views, threshold)
    if isinstance(given, ItemFeatures):
        return given
    count = given.text_present.sum(axis=0)
    text = given.text.sum(axis=0) / np.maximum(count, 1)[:, None].astype(np.float32)
    return vanilla_features(
        given.items_hash, given.image, given.image_present, text, count > 0, encoder=given.encoder
    )


def _no_views(dataset: Dataset) -> InputError:
    return InputError(
        "the given text features are one vector an item, there are no views to weigh",
        where=dataset.name,
        remedy="use --features vanilla, or give text_feat.npy as views × items × width",
    )
