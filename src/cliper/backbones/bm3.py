"""BM3: representations that predict their own perturbed copies, without negatives.

Zhou, Zhou, Liu, Zeng, Miao, Wang, You and Jiang, "Bootstrap Latent Representations for Multi-modal
Recommendation", WWW 2023 (arXiv 2207.05969):
- h_u, h_i: LightGCN's layer mean, items with their free row added once more (Section 3.1);
- h_m = W_m e_m + b_m, the features in the same space;
- a target ḣ is a copy of h with a share p of its entries dropped, behind a stop-gradient, and
  h̃ = W_p h + b_p a prediction of it, by one predictor for users, items and modalities;
- with C(a, b) = -cos(a, b), means over the batch's pairs (Section 3.2):
  L_rec = C(h̃_u, ḣ_i) + C(h̃_i, ḣ_u), L_align = Σ_m C(h̃_m, ḣ_i), L_mask = Σ_m C(h̃_m, ḣ_m),
  L = L_rec + L_align + L_mask + λ L2(h_u, h_i);
- a score is h̃_u · h̃_i (Section 3.3).

Deviations: L_align and L_mask train the maps of content alone, not the predictor
(`shared_predictor: true` is the paper). They let no gradient through to h, so all that they could
do to a ranking is to bend the predictor towards features that it cannot fit, which costs. An item
without training interactions is outside every other term, so its h_i would be noise or zero. What
stands in for it is what L_align has trained to point where h_i points: the sum of the unit h̃_m, at
the mean length of the other items' h_i. `content_weight` adds the same to the items that have
interactions; 0, the default, is the paper. `modality_weight` scales L_align and L_mask, which the
paper weighs 1; `predictor_bias: false` leaves b_p out, a constant that all predictions could share.
Each modality is divided by its mean row norm.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import (
    affine,
    node_table,
    projection,
    unit_scale,
    warm_mask,
)
from cliper.data import Interactions
from cliper.dense import linear
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.losses import squared_norm
from cliper.representation.features import ItemFeatures


class Bm3Config(BackboneConfig):
    """Settings of BM3; the paper searches K in {1, 2}, p in {0.3, 0.5}, λ in {0.1, 0.01}."""

    n_layers: int = Field(2, ge=0, le=16, description="propagation layers K")
    dropout: float = Field(0.3, ge=0, lt=1, description="p, share of a target's entries dropped")
    modality_weight: float = Field(1.0, ge=0, le=10, description="on L_align and L_mask")
    l2: float = Field(1e-4, ge=0, le=10, description="λ, penalty on h_u and h_i of the batch")
    shared_predictor: bool = Field(
        False, description="content's terms train the predictor too, as published"
    )
    predictor_bias: bool = Field(True, description="b_p, as published")
    content_weight: float = Field(
        0.0, ge=0, le=10, description="aligned content added to h_i of known items when ranking"
    )


def unlike(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of C(a, b) = -cos(a, b) over the rows of two (B, d)."""
    return -cosine_similarity(prediction, target, dim=1).mean()


@register_backbone("bm3", Bm3Config, "LightGCN that predicts dropped-out copies; no negatives")
class Bm3(ContentBackbone):
    """One node table, one map per modality, one predictor for all."""

    costs_by_step = True
    items_interact = False

    known: Tensor

    def __init__(
        self,
        config: Bm3Config,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        self.register_buffer("known", warm_mask(interactions), persistent=False)
        self.graph = SparseGraph(normalized_adjacency(interactions.matrix()), symmetric=True)
        self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator, affine)
        predictor = affine if config.predictor_bias else projection
        self.predictor = predictor(d, d, generator)

    def target(self, rows: Tensor) -> Tensor:
        """ḣ of rows (B, d): a copy that lets no gradient through, entries dropped at random."""
        copy = rows.detach()
        if not self.training or self.config.dropout == 0:
            return copy
        # Uniform draws compared with p take a third of the time of Bernoulli draws.
        kept = torch.rand(copy.shape, generator=self.draws) >= self.config.dropout
        return copy * kept.to(copy)

    def propagate(self) -> tuple[Tensor, Tensor]:
        """h_u (M, d) and h_i (N, d), the latter with the free row as a residual."""
        nodes = layer_mean(self.graph, self.nodes, self.config.n_layers)
        return nodes[: self.n_users], nodes[self.n_users :] + self.nodes[self.n_users :]

    def aligned_content(self) -> Tensor:
        """Where content says that h_i points: the sum of the unit h̃_m, normalised, (N, d)."""
        predicted = [self.predictor(x) for x in self.mapped().values()]
        return normalize(torch.stack([normalize(p, dim=1) for p in predicted]).sum(0), dim=1)

    def embed(self) -> tuple[Tensor, Tensor]:
        """h̃_u and h̃_i, with content in place of the h_i that nothing has trained."""
        users, items = self.propagate()
        length = items.norm(dim=1).sum() / self.known.sum().clamp(min=1)
        share = self.known * self.config.content_weight + (1 - self.known)
        items = items + share * length * self.aligned_content()
        return self.predictor(users), self.predictor(items)

    def predict(self, content: Tensor) -> Tensor:
        """h̃_m of content's rows (B, d), by a predictor that learns nothing from it by default."""
        if self.config.shared_predictor:
            predicted: Tensor = self.predictor(content)
            return predicted
        weight, bias = self.predictor.weight, self.predictor.bias
        return linear(content, weight.detach(), None if bias is None else bias.detach())

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """L_rec, L_align, L_mask and λ L2; the batch's negatives are not looked at."""
        users, items = self.propagate()
        user = users.index_select(0, batch.users)
        item = items.index_select(0, batch.positives)
        user_target, item_target = self.target(user), self.target(item)
        align, mask = user.new_zeros(()), user.new_zeros(())
        for content in self.mapped(batch.positives).values():
            predicted = self.predict(content)
            align = align + unlike(predicted, item_target)
            mask = mask + unlike(predicted, self.target(content))
        reconstruct = unlike(self.predictor(user), item_target)
        return {
            "reconstruct": reconstruct + unlike(self.predictor(item), user_target),
            "align": self.config.modality_weight * align,
            "mask": self.config.modality_weight * mask,
            "l2": self.config.l2 * squared_norm(user, item),
        }
