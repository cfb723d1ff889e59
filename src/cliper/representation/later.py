"""Features of items that came later, by what was fitted on the catalogue of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from cliper.data import Catalogue, Dataset, Vocabulary
from cliper.encoders.base import DualEncoder, Encodings
from cliper.encoders.content import store_root
from cliper.encoders.fitted import encode_items, encode_some, fitted_encoder
from cliper.encoders.unimodal import Unimodal
from cliper.encoders.vanilla import encode_vanilla
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures, Modality
from cliper.representation.from_encodings import as_tensor, cliper_features, vanilla_features
from cliper.representation.fusion import mean_row
from cliper.representation.represent import encodings_of, rendered_views, represent_dataset
from cliper.representation.settings import RepresentationSettings
from cliper.types import BoolArray, FloatArray
from cliper.views import RenderedViews, render

Present = dict[Modality, Tensor]
"""Which items have a picture, and which any text: bool (N,) each."""


class LaterItems:
    """The representation of a dataset's items, ready for more of them; nothing is fitted.

    Views, encoder, similarity and fusion are the dataset's; what is missing of a new item is
    filled with the mean of the dataset's items, as it is for those.

    Args:
        dataset: with a catalogue and its encoding store.
        settings: as the run had them.
        weights: of the learned fusion, as the run has kept them.

    Raises:
        InputError: the features did not come from the dataset's fields and pictures.
    """

    def __init__(
        self,
        dataset: Dataset,
        settings: RepresentationSettings,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.dataset, self.settings, self._weights = dataset, settings, weights
        kind = settings.features.kind
        if kind not in ("cliper", "vanilla") or "features" in dataset.about:
            what = "were brought by the dataset" if "features" in dataset.about else f"are {kind}"
            raise InputError(
                f"the run's features {what}, no encoder can make them of a new item",
                where="items",
                remedy="train with --features cliper or vanilla on a catalogue with fields",
            )

    @cached_property
    def features(self) -> ItemFeatures:
        """Of the dataset's own items."""
        features = represent_dataset(self.dataset, self.settings, weights=self._weights)
        assert features is not None
        return features

    def of(self, catalogue: Catalogue) -> ItemFeatures:
        """Of n new items, in the modalities of the run.

        Args:
            catalogue: with the fields that the dataset has.

        Raises:
            InputError: a picture cannot be used.
        """
        views = render(catalogue, self._views.templates, self._views.names)
        if self.settings.features.kind == "vanilla":
            return self._filled(catalogue.items, *self._vanilla(catalogue, views))
        return self.fused(catalogue.items, self.encoded(catalogue))

    def encoded(self, catalogue: Catalogue) -> Encodings:
        """Views and pictures of new items in the encoder's space (`cliper` features)."""
        views = render(catalogue, self._views.templates, self._views.names)
        ids = catalogue.items.ids()
        return encode_items(self.encoder, views, catalogue.image_paths(), ids)

    @cached_property
    def encodings(self) -> Encodings:
        """Of the dataset's own items, memory-mapped (`cliper` features)."""
        return encodings_of(self.dataset, self.settings)

    def fused(self, items: Vocabulary, encodings: Encodings) -> ItemFeatures:
        """Features of n items from their encodings, whoever they are."""
        fusion = self.settings.fusion
        by_attention = fusion.kind == "attention"
        features = cliper_features(
            encodings,
            fusion.kind,
            float(fusion.temperature) if by_attention else None,
            self.settings.features.normalize_views,
            threshold=fusion.threshold if by_attention else None,
            weights=self.features.weights,
        )
        present = _present(encodings.image_present, encodings.text_present)
        return self._filled(items, features, present)

    def _vanilla(self, catalogue: Catalogue, views: RenderedViews) -> tuple[ItemFeatures, Present]:
        networks, ids = self._networks, catalogue.items.ids()

        def encode_image(paths: Sequence[Path]) -> FloatArray:
            return networks.encode_image(paths)[0]

        paths = catalogue.image_paths()
        text, has_text = encode_some(networks.encode_text, networks.text.width, views.whole)
        image, has_image = encode_some(encode_image, networks.image.width, paths, ids)
        features = vanilla_features("", image, has_image, text, has_text)
        return features, _present(has_image, has_text[None])

    def _filled(self, items: Vocabulary, made: ItemFeatures, present: Present) -> ItemFeatures:
        """In the run's modalities, with the dataset's means where an item has nothing to go by."""
        tables = {
            m: made.tables[m]
            if bool(present[m].all())
            else torch.where(present[m][:, None], made.tables[m], self._mean(m))
            for m in self.features.modalities
        }
        return replace(self.features, items_hash=items.hash, tables=tables, touched=None)

    def _mean(self, modality: Modality) -> Tensor:
        return mean_row(self.features.tables[modality], self._present[modality])

    @cached_property
    def _views(self) -> RenderedViews:
        views = self.settings.views
        return rendered_views(self.dataset, views.templates, views.include)

    @cached_property
    def encoder(self) -> DualEncoder:
        """As it was fitted on the dataset (`cliper` features)."""
        return fitted_encoder(self.dataset, self._views, self.settings.encoder)

    @cached_property
    def _networks(self) -> Unimodal:
        return Unimodal(store_root(self.dataset), self.settings.encoder)

    @cached_property
    def _present(self) -> Present:
        """Of the dataset's items."""
        if self.settings.features.kind == "vanilla":
            v = encode_vanilla(self.dataset, self._views, self.settings.encoder)
            return _present(v.image_present, v.text_present[None])
        encodings = self.encodings
        return _present(encodings.image_present, encodings.text_present)


def _present(image: BoolArray, text: BoolArray) -> Present:
    """From a mask of pictures (N,), and one of views (C, N)."""
    return {"image": as_tensor(image), "text": as_tensor(text).any(0)}
