"""NeuMF: an inner product and a perceptron, each with embeddings of its own, fused.

He, Liao, Zhang, Nie, Hu and Chua, "Neural Collaborative Filtering", WWW 2017 (arXiv 1708.05031):
- GMF: φᴳ = p_uᴳ ⊙ q_iᴳ (Eq. 8);
- MLP: z₁ = [p_uᴹ, q_iᴹ], z_{l+1} = ReLU(W_l z_l + b_l), each layer half as wide (Eq. 10);
- ŷ = σ(h · [φᴳ, φᴹ]) (Eq. 12); binary cross-entropy on positives and negatives (Eq. 7).

Deviations: both parts have embeddings of width d, and the tower falls from 2d to d, d/2, ... .
The maps start Xavier-uniform (the embeddings from N(0, 0.01²), as there). GMF and MLP are not
trained beforehand. Scores are left before σ, which keeps their order and, in float32, the
difference between two good items.
"""

from itertools import pairwise
from typing import cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from cliper.backbones import Backbone, BackboneConfig, Batch, register_backbone
from cliper.backbones.layers import affine, lookup, projection
from cliper.data import Interactions
from cliper.losses import squared_norm
from cliper.representation.features import ItemFeatures
from cliper.scoring import NeuralScorer


class NeuMfConfig(BackboneConfig):
    """Settings of NeuMF; defaults from the paper, Section 4.1."""

    n_layers: int = Field(3, ge=1, le=8, description="hidden layers of the perceptron")
    negatives: int = Field(4, ge=1, le=64, description="negatives that are drawn per positive")
    l2: float = Field(0.0, ge=0, le=10, description="penalty on the batch's embeddings")


@register_backbone("neumf", NeuMfConfig, "generalised matrix factorisation fused with an MLP; ids")
class NeuMf(Backbone):
    """Users and items have one table each; its first half is GMF's, the second the MLP's."""

    taken: Tensor
    warm: Tensor

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
        self.tower = nn.ModuleList(affine(a, b, generator) for a, b in pairwise(widths))
        self.h = projection(d + widths[-1], 1, generator)
        self.more = config.negatives - 1
        taken = interactions.user_index * self.n_items + interactions.item_index
        self.register_buffer("taken", torch.from_numpy(np.unique(taken)), persistent=False)
        warm = torch.from_numpy(np.flatnonzero(interactions.item_counts()))
        self.register_buffer("warm", warm, persistent=False)

    def further_negatives(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Users and items (n,) each of further negatives, up to `negatives` - 1 a row.

        Uniform over the warm items that the user did not take: what was taken is left out.
        """
        size = self.more * len(users)
        drawn = torch.randint(len(self.warm), (size,), generator=self.draws)
        items, users = self.warm[drawn.to(users.device)], users.repeat(self.more)
        keys = users * self.n_items + items
        at = torch.searchsorted(self.taken, keys).clamp(max=len(self.taken) - 1)
        free = (self.taken[at] != keys).nonzero().squeeze(1)
        return users.index_select(0, free), items.index_select(0, free)

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
        user = lookup(self.users, batch.users)
        items = torch.cat([batch.positives, batch.negatives])
        item = lookup(self.items, items)
        positive, negative = self.score(torch.cat([user, user]), item).chunk(2)
        found = [logsigmoid(positive), logsigmoid(-negative)]
        if self.more:
            users, others = self.further_negatives(batch.users)
            rows = lookup(self.users, users), lookup(self.items, others)
            found.append(logsigmoid(-self.score(*rows)))
        entropy = -torch.cat(found).mean()
        return {"bce": entropy, "l2": self.l2 * squared_norm(user, *item.chunk(2))}


def halves(rows: int, width: int, generator: torch.Generator) -> nn.Parameter:
    """Two tables (rows, width) side by side, from N(0, 0.01²) (Section 4.1)."""
    return nn.Parameter(0.01 * torch.randn(rows, 2 * width, generator=generator))
