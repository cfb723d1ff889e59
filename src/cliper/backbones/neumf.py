"""NeuMF: an inner product and a perceptron, each with embeddings of its own, fused.

He, Liao, Zhang, Nie, Hu and Chua, "Neural Collaborative Filtering", WWW 2017 (arXiv 1708.05031):
- GMF: φᴳ = p_uᴳ ⊙ q_iᴳ (Eq. 8);
- MLP: z₁ = [p_uᴹ, q_iᴹ], z_{l+1} = ReLU(W_l z_l + b_l), each layer half as wide (Eq. 10);
- ŷ = σ(h · [φᴳ, φᴹ]) (Eq. 12); binary cross-entropy on positives and negatives (Eq. 7).

Deviations: both parts have embeddings of width d, and the tower falls from 2d to d, d/2, ... .
One negative is drawn per positive (the paper finds four a little better). GMF and MLP are not
trained beforehand. Scores are left before σ, which keeps their order and, in float32, the
difference between two good items.
"""

from itertools import pairwise
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from cliper.backbones.base import Backbone, BackboneConfig, Batch, embedding_table, projection
from cliper.backbones.registry import register_backbone
from cliper.data import Interactions
from cliper.dense import Linear
from cliper.losses import squared_norm
from cliper.representation.features import ItemFeatures
from cliper.scoring import NeuralScorer


class NeuMfConfig(BackboneConfig):
    """Settings of NeuMF; defaults from the paper, Section 4.1."""

    n_layers: int = Field(3, ge=1, le=8, description="hidden layers of the perceptron")
    l2: float = Field(0.0, ge=0, le=10, description="penalty on the batch's embeddings")


@register_backbone("neumf", NeuMfConfig, "generalised matrix factorisation fused with an MLP; ids")
class NeuMf(Backbone):
    """Users and items have one table each; its first half is GMF's, the second the MLP's."""

    def __init__(
        self,
        config: NeuMfConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.l2, d = config.l2, config.embedding_size
        self.users = halves(self.n_users, d, generator)
        self.items = halves(self.n_items, d, generator)
        widths = [max(1, 2 * d >> layer) for layer in range(config.n_layers + 1)]
        self.tower = nn.ModuleList(linear(a, b, generator) for a, b in pairwise(widths))
        self.h = projection(d + widths[-1], 1, generator)

    def scorer(self, history: Interactions | None = None) -> NeuralScorer:
        """ŷ before σ, of any user and all items."""
        linears = [cast(nn.Linear, layer) for layer in self.tower]
        layers = tuple((layer.weight.detach(), layer.bias.detach()) for layer in linears)
        tables = self.users.detach(), self.items.detach()
        return NeuralScorer(*tables, layers, self.h.weight.detach()[0])

    def score(self, users: Tensor, items: Tensor) -> Tensor:
        """ŷ before σ of table rows (B, 2d) each: (B,)."""
        (p, p_mlp), (q, q_mlp) = users.chunk(2, dim=1), items.chunk(2, dim=1)
        z = torch.cat([p_mlp, q_mlp], dim=1)
        for layer in self.tower:
            z = layer(z).relu()
        result: Tensor = self.h(torch.cat([p * q, z], dim=1))[:, 0]
        return result

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Binary cross-entropy: positives are ones and negatives zeros."""
        user = self.users.index_select(0, batch.users)
        items = torch.cat([batch.positives, batch.negatives])
        item = self.items.index_select(0, items)
        positive, negative = self.score(torch.cat([user, user]), item).chunk(2)
        entropy = -torch.cat([logsigmoid(positive), logsigmoid(-negative)]).mean()
        return {"bce": entropy, "l2": self.l2 * squared_norm(user, *item.chunk(2))}


def halves(rows: int, width: int, generator: torch.Generator) -> nn.Parameter:
    """Two tables (rows, width) side by side, each initialised as if alone."""
    left, right = (embedding_table(rows, width, generator) for _ in range(2))
    return nn.Parameter(torch.cat([left, right], dim=1).detach())


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """An affine map, Xavier-uniform, from zero bias."""
    layer = Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
