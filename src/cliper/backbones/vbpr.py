"""VBPR: matrix factorisation whose items also have content factors.

He and McAuley, "VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback", AAAI 2016
(arXiv 1510.01784), Eq. 4: x̂_ui = β_i + γ_u·γ_i + θ_u·(E f_i) + β'·f_i (α and β_u cancel in BPR).

Deviations: f_i is the image and the text, each with its own E and β' (as the literature now uses
VBPR; `modalities: image` is the original). With content, an item that nobody has bought has a
score: its γ_i and β_i are zero, the rest is real.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones.base import (
    Backbone,
    BackboneConfig,
    Batch,
    cold_items,
    embedding_table,
    feature_tables,
    projection,
)
from cliper.backbones.registry import register_backbone
from cliper.data import Interactions
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class VbprConfig(BackboneConfig):
    """Settings of VBPR."""

    l2: float = Field(1e-2, ge=0, le=10, description="penalty on the batch's own factors")
    content_l2: float = Field(0.0, ge=0, le=10, description="penalty on E and β'")
    modalities: Literal["all", "image", "text"] = Field("all", description="content that f_i holds")


@register_backbone("vbpr", VbprConfig, "matrix factorisation plus content factors and bias")
class Vbpr(Backbone):
    """Users hold [γ_u, θ_u, 1], items [γ_i, E f_i, β_i + β'·f_i]."""

    uses_features = True

    def __init__(
        self,
        config: VbprConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        assert features is not None
        if config.modalities != "all":
            features = features.only(config.modalities)
        self.l2, self.content_l2 = config.l2, config.content_l2
        d = config.embedding_size
        self.users = embedding_table(self.n_users, 2 * d, generator)
        cold = cold_items(interactions)
        self.items = embedding_table(self.n_items, d, generator, zero=cold)
        self.item_bias = nn.Parameter(torch.zeros(self.n_items, 1))
        tables = feature_tables(features, generator)
        self.features = nn.ModuleDict(tables)
        # One map gives both E f_i and β'·f_i: its last output is the bias.
        self.content = nn.ModuleDict(
            {m: projection(table.width, d + 1, generator) for m, table in tables.items()}
        )

    def describe(self, rows: Tensor | None = None) -> Tensor:
        """Item rows [γ_i, E f_i, β_i + β'·f_i], (n, 2d + 1)."""
        maps = [self.content[m](table(rows)) for m, table in self.features.items()]
        content = torch.stack(maps).sum(0)
        free: Tensor = self.items
        bias: Tensor = self.item_bias
        if rows is not None:
            free, bias = free.index_select(0, rows), bias.index_select(0, rows)
        return torch.cat([free, content[:, :-1], content[:, -1:] + bias], dim=1)

    def embed(self) -> tuple[Tensor, Tensor]:
        """The rows above for everyone."""
        return torch.cat([self.users, self.users.new_ones(self.n_users, 1)], dim=1), self.describe()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the triples; L2 on the factors in the batch and on the content maps."""
        user = self.users.index_select(0, batch.users)
        ones = user.new_ones(len(batch), 1)
        whole_user = torch.cat([user, ones], dim=1)
        positive, negative = self.describe(batch.positives), self.describe(batch.negatives)
        d = self.items.shape[1]
        maps = torch.stack([w.pow(2).sum() for w in self.content.parameters()]).sum()
        return {
            "bpr": bpr(dot(whole_user, positive), dot(whole_user, negative)),
            "l2": self.l2 * squared_norm(user, positive[:, :d], negative[:, :d]),
            "content_l2": 0.5 * self.content_l2 * maps,
        }
