"""VBPR: matrix factorisation whose items also have content factors.

He and McAuley, "VBPR: Visual Bayesian Personalized Ranking from Implicit Feedback", AAAI 2016
(arXiv 1510.01784), Eq. 4: x̂_ui = β_i + γ_u·γ_i + θ_u·(E f_i) + β'·f_i (α and β_u cancel in BPR).

Deviations: f_i is the image and the text, each with its own E and β' (as the literature now uses
VBPR; `modalities: image` is the original). Training scores omit γ_u·γ_i + β_i for a share
`id_dropout` of the triples (Volkovs, Yu and Poutanen, "DropoutNet", NeurIPS 2017), so that content
learns to stand alone, as it must for cold items; 0, the default, is the paper. E (f_i - f_j) is one
product instead of two (the map is linear). γ_i and β_i of an
item without training interactions are zero: its score is its content's. Each modality is divided
by its mean row norm, so that one penalty and one learning rate suit whatever encoder made it.
The penalty covers what a triple uses of content as it does γ: E (f_i - f_j). Without it a map of
more inputs than there are items is a second table of free factors that nothing holds back;
`content_factor_l2: false` is the paper, which has λ_E ‖E‖² (`content_l2`) alone.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, item_table, lookup
from cliper.data import Interactions
from cliper.losses import dot, shared_norm, squared_norm
from cliper.representation.features import ItemFeatures


class VbprConfig(BackboneConfig):
    """Settings of VBPR."""

    l2: float = Field(1e-2, ge=0, le=10, description="penalty on the factors that a triple uses")
    content_factor_l2: bool = Field(True, description="l2 also on E (f_i - f_j); paper: false")
    content_l2: float = Field(0.0, ge=0, le=10, description="penalty on E and β'")
    modalities: Literal["all", "image", "text"] = Field("all", description="content that f_i holds")
    id_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of training triples that see content alone"
    )


@register_backbone("vbpr", VbprConfig, "matrix factorisation plus content factors and bias")
class Vbpr(ContentBackbone):
    """Free factors, content factors and a bias of each kind."""

    adds_up = True
    items_interact = False

    def __init__(
        self,
        config: VbprConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        if config.modalities != "all":
            features = features.only(config.modalities)
        self.config, d = config, config.embedding_size
        self.users = embedding_table(self.n_users, 2 * d, generator)
        self.items = item_table(interactions, d, generator)
        self.item_bias = nn.Parameter(torch.zeros(self.n_items, 1))
        self.add_features(features, generator, by_rows=True)
        # One map gives both E f_i and β'·f_i: its last output is the bias.
        self.add_maps(d + 1, generator)

    def embed(self) -> tuple[Tensor, Tensor]:
        """Users [γ_u, θ_u, 1] and items [γ_i, E f_i, β_i + β'·f_i]."""
        content = torch.stack(list(self.mapped().values())).sum(0)
        bias = self.item_bias + content[:, -1:]
        items = torch.cat([self.items, content[:, :-1], bias], dim=1)
        return torch.cat([self.users, self.users.new_ones(self.n_users, 1)], dim=1), items

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the triples; L2 on the factors in the batch and on the content maps."""
        gamma, theta = lookup(self.users, batch.users).chunk(2, dim=1)
        items = torch.cat([batch.positives, batch.negatives])
        free, not_free = lookup(self.items, items).chunk(2)
        bias, not_bias = lookup(self.item_bias, items)[:, 0].chunk(2)
        # Only differences of scores count, and the maps are linear: half as many rows to project.
        differences = self.mapped_differences(batch.positives, batch.negatives)
        content = torch.stack(list(differences.values())).sum(0)
        by_id = dot(gamma, free - not_free) + bias - not_bias
        by_content = dot(theta, content[:, :-1]) + content[:, -1]
        if self.config.id_dropout > 0:
            drawn = torch.rand(len(batch), generator=self.draws)
            by_id = by_id * (drawn >= self.config.id_dropout).to(by_id)
        factors = [gamma, theta, free, not_free]
        if self.config.content_factor_l2:
            factors.append(content[:, :-1])
        return {
            "bpr": -logsigmoid(by_id + by_content).mean(),
            "l2": self.config.l2 * squared_norm(*factors),
            "content_l2": self.config.content_l2 * shared_norm(*self.content.parameters()),
        }
