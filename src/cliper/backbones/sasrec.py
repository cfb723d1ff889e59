"""SASRec: causal self-attention over the items that a user took.

Kang and McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018 (arXiv 1808.09781):

    Ê_t = M_{s_t} + P_t                                          (Eq. 1)
    S = softmax(Q Kᵀ / √d) V, causal; Q, K, V = Ê W^Q, Ê W^K, Ê W^V   (Eq. 2-3)
    FFN(x) = ReLU(x W⁽¹⁾ + b⁽¹⁾) W⁽²⁾ + b⁽²⁾                        (Eq. 4)
    g(x) = x + Dropout(g(LayerNorm(x))) around each of both       (Section III-C)
    r_{i,t} = F_t · M_i, the same M                              (Section III-D)
    −Σ_t log σ(r_{s_{t+1},t}) + log(1 − σ(r_{j,t})), one negative j each   (Eq. 6)

Positions count back from the end of the window, as the paper pads at the front.

Deviations: with features, M_i is the item's ID embedding plus a projection of each modality (each
divided by its mean row norm), so that a cold item can be scored. The loss is a mean, not a sum. P
starts at zero: at the usual scale it would drown the items. One LayerNorm serves queries, keys and
values, as the paper's formula says. Training reads the last `max_length` items before the last.
"""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, scaled_dot_product_attention

from cliper.backbones import register_backbone
from cliper.backbones.layers import projection
from cliper.backbones.sequential import Sequential, SequentialConfig
from cliper.data import Interactions
from cliper.representation.features import ItemFeatures


class SasRecConfig(SequentialConfig):
    """Settings of SASRec; defaults from the paper, Section IV-C (50, 0.5: its sparse datasets)."""

    n_blocks: int = Field(2, ge=1, le=16, description="self-attention blocks b")


class Block(nn.Module):
    """LayerNorm and one-headed attention, LayerNorm and feed-forward, each with a residual."""

    def __init__(self, d: int, generator: torch.Generator) -> None:
        super().__init__()
        self.before_attention, self.before_forward = nn.LayerNorm(d), nn.LayerNorm(d)
        self.query, self.key, self.value = (projection(d, d, generator) for _ in range(3))
        self.inner, self.outer = projection(d, d, generator), projection(d, d, generator)
        self.inner_bias, self.outer_bias = (nn.Parameter(torch.zeros(d)) for _ in range(2))

    def attend(self, x: Tensor) -> Tensor:
        """Eq. 2-3 of (B, L, d): each place attends to itself and those before it."""
        # With an axis for its one head PyTorch takes the kernel that never holds (B, L, L).
        q, k, v = (w(x).unsqueeze(1) for w in (self.query, self.key, self.value))
        attended: Tensor = scaled_dot_product_attention(q, k, v, is_causal=True).squeeze(1)
        return attended

    def forward_layer(self, x: Tensor) -> Tensor:
        """Eq. 4, place by place."""
        transformed: Tensor = self.outer(torch.relu(self.inner(x) + self.inner_bias))
        return transformed + self.outer_bias


@register_backbone("sasrec", SasRecConfig, "self-attention over a user's items in order of time")
class SasRec(Sequential):
    """Blocks of causal self-attention over items and positions."""

    def __init__(
        self,
        config: SasRecConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        d = config.embedding_size
        self.positions = nn.Parameter(torch.zeros(self.max_length, d))
        self.blocks = nn.ModuleList(Block(d, generator) for _ in range(config.n_blocks))

    def network(self, x: Tensor, lengths: Tensor) -> Tensor:
        """F (B, L, d)."""
        steps = torch.arange(x.shape[1], device=x.device)
        place = (self.max_length - lengths[:, None] + steps).clamp(max=self.max_length - 1)
        x = self.drop(x + self.positions.index_select(0, place.flatten()).view_as(x))
        for block in self.blocks:
            x = x + self.drop(block.attend(block.before_attention(x)))  # type: ignore[operator]
            x = x + self.drop(block.forward_layer(block.before_forward(x)))  # type: ignore[operator]
        return x

    def pair_loss(self, positive: Tensor, negative: Tensor) -> dict[str, Tensor]:
        """Eq. 6."""
        return {"bce": -(logsigmoid(positive) + logsigmoid(-negative)).sum()}
