"""Popularity: the same ranking for everyone, by number of training interactions."""

import torch
from torch import Tensor

from cliper.backbones import Backbone, register_backbone
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.representation.features import ItemFeatures


class PopularityConfig(StrictConfig):
    """Popularity has no settings."""


@register_backbone("popularity", PopularityConfig, "training interactions per item; no parameters")
class Popularity(Backbone):
    """The score of an item is its number of training interactions."""

    is_trained = False
    popularity: Tensor

    def __init__(
        self,
        config: PopularityConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        counts = torch.from_numpy(interactions.item_counts()).float()
        self.register_buffer("popularity", counts.unsqueeze(1))

    def embed(self) -> tuple[Tensor, Tensor]:
        """Users are the number one, items their count."""
        return self.popularity.new_ones(self.n_users, 1), self.popularity
