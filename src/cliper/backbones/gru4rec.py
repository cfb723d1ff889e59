"""GRU4Rec: a recurrent network over the items that a user took.

Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016 (arXiv
1511.06939): GRU cells (Eq. 1-4)

    z = σ(W_z x + U_z h), r = σ(W_r x + U_r h), ĥ = tanh(W x + U (r ⊙ h)), h' = (1 − z) h + z ĥ

and for a positive i and a negative j, r̂ = state · item, one of

    BPR    −mean log σ(r̂_i − r̂_j)
    TOP1   mean σ(r̂_j − r̂_i) + σ(r̂_j²)            (Section 3.2)

Deviations: a session is a user's whole history. One uniform negative per positive, as for every
model here, where the paper takes the other sessions of the mini-batch. Items that are read and that
are scored share one table ("constrained embeddings", Hidasi and Karatzoglou, CIKM 2018), which with
features is the ID embedding plus a projection of each modality (each divided by its mean row norm):
an output layer of its own could not score a cold item. PyTorch's cell resets after the product,
r ⊙ (U h + b), has biases, and calls 1 − z what the paper calls z. Adam instead of Adagrad.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from cliper.backbones import register_backbone
from cliper.backbones.sequential import Sequential, SequentialConfig
from cliper.data import Interactions
from cliper.representation.features import ItemFeatures


class Gru4RecConfig(SequentialConfig):
    """Settings of GRU4Rec; one layer and no dropout of states within time, as in the paper."""

    n_layers: int = Field(1, ge=1, le=8, description="GRU layers")
    ranking: Literal["bpr", "top1"] = Field("bpr", description="ranking loss")


@register_backbone("gru4rec", Gru4RecConfig, "a GRU over a user's items in order of time")
class Gru4Rec(Sequential):
    """A GRU whose hidden size is the items' width."""

    def __init__(
        self,
        config: Gru4RecConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.ranking = config.ranking
        d = config.embedding_size
        # Made empty and then filled: its own initialisation would draw from the global generator.
        gru = nn.GRU(d, d, config.n_layers, batch_first=True, device="meta").to_empty(device="cpu")
        for name, weights in gru.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(weights)
            else:
                for gate in weights.chunk(3):
                    nn.init.xavier_uniform_(gate, generator=generator)
        self.gru = gru

    def network(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Hidden states (B, L, d) of the last layer."""
        states: Tensor = self.gru(self.drop(x))[0]
        return self.drop(states)

    def pair_loss(self, positive: Tensor, negative: Tensor) -> dict[str, Tensor]:
        """BPR or TOP1 of each pair."""
        if self.ranking == "bpr":
            return {"bpr": -logsigmoid(positive - negative).sum()}
        top1 = torch.sigmoid(negative - positive) + torch.sigmoid(negative.square())
        return {"top1": top1.sum()}
