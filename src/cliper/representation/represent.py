"""From a dataset to what a backbone sees of its items, by way of the encoding store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cliper.data import Dataset
from cliper.data.augmentation import training_hash
from cliper.encoders.base import Encodings
from cliper.encoders.encode import First, OnReport, encode_dataset
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.vanilla import encode_vanilla
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures
from cliper.representation.from_encodings import (
    choose_views,
    cliper_features,
    random_features,
    vanilla_features,
)
from cliper.representation.fusion import FusionKind
from cliper.representation.given import GIVEN, given_features
from cliper.representation.learned import learn_weights
from cliper.representation.settings import FeatureKind, RepresentationSettings
from cliper.views import RenderedViews, render


def represent(
    dataset: Dataset,
    encoder: str | EncoderSettings = "embedded",
    fusion: FusionKind | None = None,
    temperature: float | None = None,
    *,
    kind: FeatureKind = "cliper",
    views: Sequence[str] | None = None,
    templates: Mapping[str, str] | None = None,
    normalize_views: bool = True,
    threshold: float | None = None,
    split: Mapping[str, Any] | None = None,
    on_report: OnReport | None = None,
    **running: Any,
) -> ItemFeatures:
    """Represent a dataset's items; encodes what the dataset's store does not hold yet.

    Args:
        dataset: with a catalogue, or with the features that `prepare mmrec` brought.
        encoder: the dual encoder's name (`cliper` features only), or all its settings.
        fusion: `attention`, `sum`, `concat` or `mlp` (Eq. 3), `learned` or `random`. If None,
            `attention` where a temperature or threshold is given, else `concat`, which needs no
            split.
        temperature: τ of the attention; 0.1 when not given.
        kind: `cliper`, or `vanilla` for independent unimodal encoders and the whole text.
        views: view names, `global` among them if wanted; all usable fields and `global` if None.
        templates: field → prompt; the paper's, or one made from the field's name, if None.
        normalize_views: scale each view to length 1 before fusing.
        threshold: of the attention: views less similar to the image are masked, the best stays.
        split: what is trained on, as in an experiment file, e.g.
            `{"kind": "cold-item", "seed": 1}`: the learned fusion and an adaptation with
            `fit_on: train` see the training part alone. The default split with seed 0 if None.
        on_report: called with what was encoded and what was reused.
        running: beside an encoder's name: other fields of `EncoderSettings`: `device`, `dtype`,
            `weights`, `adapt` and so on.

    Raises:
        InputError: an unknown encoder, view or fusion; a dataset that has nothing to encode.

    >>> features = represent(dataset, fusion="concat")  # doctest: +SKIP
    """
    given: dict[str, Any] = {
        "views": {"templates": templates and dict(templates), "include": views and list(views)},
        "features": {"kind": kind, "normalize_views": normalize_views},
        "fusion": {"threshold": threshold},
    }
    if fusion is None:
        fusion = "concat" if temperature is None and threshold is None else "attention"
    given["fusion"]["kind"] = fusion
    if temperature is not None:
        given["fusion"]["temperature"] = "inf" if temperature == float("inf") else temperature
    given["encoder"] = EncoderSettings.of(encoder, running)
    if split is not None:
        given["split"] = dict(split)
    settings = RepresentationSettings.parse(given)
    if split is not None and not settings.depends_on_split:
        raise InputError("has no effect on these features", where="split", remedy="leave it out")
    features = represent_dataset(dataset, settings, on_report)
    if features is None:
        raise InputError("represents nothing", where=f"kind {kind!r}", remedy="use 'cliper'")
    return features


def represent_dataset(
    dataset: Dataset,
    settings: RepresentationSettings,
    on_report: OnReport | None = None,
    *,
    weights: Mapping[str, float] | None = None,
    encodings: Encodings | None = None,
) -> ItemFeatures | None:
    """The features that settings ask for, of the modalities that they name; None for kind `none`.

    Args:
        dataset: as for `represent`.
        settings: all that decides the features.
        on_report: called with what was encoded and what was reused.
        weights: of the learned fusion, as a run has kept them; learned again if None.
        encodings: what `encodings_of` gives, where they are at hand.

    Raises:
        InputError: as from `represent`.
    """
    kind = settings.features.kind
    if kind == "none":
        return None
    if kind == "random":
        width, seed = settings.features.random_size, settings.split.seed or 0
        features = random_features(dataset.items.hash, len(dataset.items), width, seed)
    elif kind == "vanilla":
        features = _vanilla(dataset, settings, on_report)
    else:
        fusion = settings.fusion
        encodings = encodings or encodings_of(dataset, settings, on_report)
        has_temperature = fusion.kind == "attention" or "temperature" in fusion.model_fields_set
        training = None
        if fusion.kind == "learned":
            train = settings.split.of(dataset).train
            training = training_hash(train)
            if not weights:
                weights = learn_weights(encodings, train, settings.split.seed or 0).weights
        features = cliper_features(
            encodings,
            fusion.kind,
            float(fusion.temperature) if has_temperature else None,
            settings.features.normalize_views,
            threshold=fusion.threshold,
            weights=weights or None,
            seed=settings.split.seed or 0,
        )
        features = replace(features, training=training)
    wanted = settings.features.modalities
    if "modalities" not in settings.features.model_fields_set:
        wanted = [m for m in wanted if m in features.modalities]
    return features.only(*wanted)


def encodings_of(
    dataset: Dataset, settings: RepresentationSettings, on_report: OnReport | None = None
) -> Encodings:
    """What `cliper` features are made of, before similarity and fusion: views and pictures.

    Raises:
        InputError: the dataset has nothing to encode, or brought features without views.
    """
    if "features" not in dataset.about:
        return encode_catalogue(dataset, settings, on_report)[1]
    _refuse_with_given(dataset, settings)
    given = given_features(dataset)
    if isinstance(given, ItemFeatures):
        raise InputError(
            "the given text features are one vector an item, there are no views to weigh",
            where=dataset.name,
            remedy="use --features vanilla, or give text_feat.npy as views × items × width",
        )
    names, chosen = choose_views(given.views, settings.views.include)
    return replace(
        given, views=names, text=given.text[chosen], text_present=given.text_present[chosen]
    )


def encode_catalogue(
    dataset: Dataset,
    settings: RepresentationSettings,
    on_report: OnReport | None = None,
    first: First | None = None,
) -> tuple[RenderedViews, Encodings]:
    """Render a catalogue's views, hash and encode them and its pictures; see `encode_dataset`.

    Raises:
        InputError: there is no catalogue, or as from `encode_dataset`.
    """
    views = rendered_views(dataset, settings.views.templates, settings.views.include)
    fit_on = None
    adapt = settings.encoder.adapt
    if adapt is not None and adapt.fit_on == "train" and "split" in settings.model_fields_set:
        fit_on = settings.split.of(dataset).train.item_counts() > 0
    encodings = encode_dataset(
        dataset, views, settings.encoder, fit_on=fit_on, first=first, on_report=on_report
    )
    return views, encodings


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


def _vanilla(
    dataset: Dataset, settings: RepresentationSettings, on_report: OnReport | None
) -> ItemFeatures:
    """Of the packaged networks, or as the dataset brought them: several views are their mean."""
    if "features" not in dataset.about:
        views = rendered_views(dataset, settings.views.templates, settings.views.include)
        v = encode_vanilla(dataset, views, settings.encoder, on_report=on_report)
        made = vanilla_features(
            dataset.items.hash, v.image, v.image_present, v.text, v.text_present, folder=v.folder
        )
        return replace(made, encoder_hash=v.encoder_hash)
    _refuse_with_given(dataset, settings)
    given = given_features(dataset)
    if isinstance(given, ItemFeatures):
        return given
    count = given.text_present.sum(axis=0)
    text = given.text.sum(axis=0) / np.maximum(count, 1)[:, None].astype(np.float32)
    return vanilla_features(
        given.items_hash, given.image, given.image_present, text, count > 0, encoder=given.encoder
    )


def _refuse_with_given(dataset: Dataset, settings: RepresentationSettings) -> None:
    named = settings.encoder.name not in (EncoderSettings().name, GIVEN)
    if named or settings.views.templates is not None:
        raise InputError(
            "the dataset brings its own features, an encoder or a template has no effect",
            where=dataset.name,
            remedy="leave them out",
        )
