"""What backbones that know the items' content have in common."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from cliper.backbones.base import Backbone
from cliper.backbones.layers import feature_tables, projected_difference, projection
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.representation.features import FeatureTable, ItemFeatures


class ContentBackbone(Backbone):
    """Base of the backbones that map the items' features into their own space, x_m = W_m f_m.

    A constructor calls `add_features`, then `add_maps`, in the order in which its weights are to be
    drawn.

    Attributes:
        features: the rows f_m, a `FeatureTable` per modality.
        content: the maps W_m, a layer per modality.
    """

    uses_features = True

    def __init__(
        self,
        config: StrictConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.features, self.content = nn.ModuleDict(), nn.ModuleDict()

    def add_features(
        self,
        features: ItemFeatures,
        generator: torch.Generator,
        *,
        trainable: bool = False,
        by_rows: bool = False,
    ) -> dict[str, FeatureTable]:
        """Keep a table per modality and return them; with the MLP fusion the text has it inside.

        Args:
            features: as they are to be kept, most often `unit_scale` of what was given.
            generator: source of the MLP's initial weights.
            trainable: train the rows themselves.
            by_rows: of a model whose loss asks for a batch's rows alone. The rows are those of
                `unit_scale`, and a large table stays where it is, memory-mapped if it is so.
        """
        tables = feature_tables(features, generator, trainable=trainable, by_rows=by_rows)
        self.features.update(tables)
        return tables

    def add_maps(
        self,
        width: int,
        generator: torch.Generator,
        layer: Callable[[int, int, torch.Generator], nn.Module] = projection,
    ) -> None:
        """Make a map of each table into `width` dimensions: `projection`, or `affine`."""
        for modality, table in self.features.items():
            self.content[modality] = layer(cast(FeatureTable, table).width, width, generator)

    def mapped(self, rows: Tensor | None = None) -> dict[str, Tensor]:
        """x_m of all items, or of `rows` (n,), by modality: (n, d) each."""
        if rows is None:
            every = self.features.items()
            return {m: cast(FeatureTable, t).through(self.content[m]) for m, t in every}
        return {m: self.content[m](table(rows)) for m, table in self.features.items()}

    def mapped_differences(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
        """x_m of the items `left` less that of `right`, (n,) each, by modality: (n, d) each.

        The maps must be linear: where only differences of scores count, half as many rows are
        mapped.
        """
        return {
            m: projected_difference(
                cast(FeatureTable, table), cast(nn.Linear, self.content[m]), left, right
            )
            for m, table in self.features.items()
        }
