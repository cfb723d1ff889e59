"""LATTICE: item graphs mined from content, one frozen and one learned per modality.

Zhang, Zhu, Liu, Wu, Wang and Wang, "Mining Latent Structures for Multimedia Recommendation",
ACM MM 2021 (arXiv 2104.09036), Section 3:
- Eq. 1-3: cosines of item features, the k largest of each row kept, D^(-1/2) S D^(-1/2): S_m;
- Eq. 4: projected features W_m f_m, whose graph, made in the same way, is learned;
- Eq. 5-6: A = (1-λ)·norm(Σ_m α_m S̃_m) + λ Σ_m α_m S_m, α the softmax of trained weights;
- Eq. 7: h = A^L E, E the items' ID embeddings;
- Eq. 8-10: users and items by LightGCN, item = LightGCN item + h/‖h‖, BPR and L2.

Deviations: the published training computes the learned graph in an epoch's first step and reuses
it without gradient in all others. Here the topology (who is near whom) is found again at the
start of each epoch, in bounded memory, and the weights of its edges, max(0, cosine) over degrees,
are computed and differentiated in every step, so that each step trains W_m and α. Scores use the
topology of the parameters as they are. S̃_m stays unnormalised until the mix is. W_m has no bias:
it would make neighbours of all the items of which nothing is known. S_m comes from the features
as given (with the MLP fusion: the views side by side), at their own scale, as only cosines enter.
The rows f_m are trained on request only: W_m can move the cosines too, and training them makes a
step a third longer. L2 is on the batch's ID embeddings. The free row of an item without training
interactions starts at zero. The published decay of the learning rate is the trainer's affair.
"""

from typing import cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import node_table
from cliper.data import Interactions
from cliper.graphs import (
    EdgeGraph,
    SparseGraph,
    knn_graph,
    layer_mean,
    nearest_neighbours,
    normalized_adjacency,
)
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class LatticeConfig(BackboneConfig):
    """Settings of LATTICE; defaults from the paper, Section 4.1, unless said otherwise."""

    n_layers: int = Field(2, ge=0, le=16, description="user-item layers K")
    n_item_layers: int = Field(1, ge=1, le=16, description="item-item layers L")
    neighbours: int = Field(10, ge=1, le=1000, description="k of the item graphs")
    raw_weight: float = Field(0.9, ge=0, le=1, description="λ, share of the frozen graphs")
    l2: float = Field(1e-4, ge=0, le=10, description="penalty on the batch's ID embeddings (ours)")
    trainable_features: bool = Field(
        False, description="train the rows f_m too, as the published code does"
    )


def unit_rows(x: Tensor) -> Tensor:
    """x / ‖x‖ by row; a zero row stays zero, and so does its gradient."""
    squared = x.pow(2).sum(dim=1, keepdim=True)
    return x * inverse_root(squared)


def inverse_root(x: Tensor) -> Tensor:
    """1/√x where x > 0, else 0, with gradient 0 there."""
    positive = x > 1e-30
    return torch.where(positive, torch.where(positive, x, 1.0).rsqrt(), 0.0)


@register_backbone("lattice", LatticeConfig, "learned and frozen item graphs + LightGCN")
class Lattice(ContentBackbone):
    """One node table, the user-item graph, and per modality a frozen and a learned item graph."""

    costs_by_step = True
    adds_up = True

    def __init__(
        self,
        config: LatticeConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config = config
        d, k = config.embedding_size, config.neighbours
        self.nodes = node_table(interactions, d, generator)
        self.graph = SparseGraph(normalized_adjacency(interactions.matrix()), symmetric=True)
        self.modalities = features.modalities
        self.modality_logits: nn.Parameter | None = None
        if len(self.modalities) > 1:  # the softmax of one weight is 1
            self.modality_logits = nn.Parameter(torch.zeros(len(self.modalities)))
        frozen: dict[str, nn.Module] = {
            m: SparseGraph(knn_graph(features.tables[m], k, weighted=True), symmetric=False)
            for m in self.modalities
            if config.raw_weight > 0
        }
        self.frozen = nn.ModuleDict(frozen)
        if config.raw_weight < 1:  # else nothing is learned from them
            self.add_features(features, generator, trainable=config.trainable_features)
        self.add_maps(d, generator)
        self.near = self.topology()

    def projected(self) -> dict[str, Tensor]:
        """W_m f_m of every item, per modality: (N, d) with rows of length 1."""
        return {m: unit_rows(x) for m, x in self.mapped().items()}

    @torch.no_grad()
    def topology(self) -> nn.ModuleDict:
        """The k nearest items of each item by its projected features as they are now."""
        n, graphs = self.n_items, {}
        for modality, x in self.projected().items():
            columns, _ = nearest_neighbours(x, self.config.neighbours)
            rows = np.repeat(np.arange(n), columns.shape[1])
            graph = EdgeGraph(rows, columns.cpu().numpy().ravel(), (n, n))
            graphs[modality] = graph.to(x.device)
        return nn.ModuleDict(graphs)

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Find the neighbours again; the weights of their edges follow every step."""
        self.near = self.topology()

    def shares(self) -> Tensor:
        """α: one weight per modality, summing to 1."""
        if self.modality_logits is None:
            return self.nodes.new_ones(1)
        return self.modality_logits.softmax(dim=0)

    def item_part(self, near: nn.ModuleDict) -> Tensor:
        """h = A^L E (N, d), A over the topology `near` and the frozen graphs."""
        share = dict(zip(self.modalities, self.shares(), strict=True))
        learned: list[tuple[EdgeGraph, Tensor]] = []
        degree = self.nodes.new_zeros(self.n_items)
        for modality, x in self.projected().items():
            graph = cast(EdgeGraph, near[modality])
            weights = share[modality] * graph.dot(x, x).clamp(min=0)
            degree = degree + weights.view(self.n_items, -1).sum(1)  # each row has k edges
            learned.append((graph, weights))
        scale = inverse_root(degree)[:, None]
        mine = self.config.raw_weight
        h = self.nodes[self.n_users :]
        for _ in range(self.config.n_item_layers):
            parts = [mine * share[m] * graph(h) for m, graph in self.frozen.items()]
            scaled = scale * h
            parts += [(1 - mine) * scale * graph(weights, scaled) for graph, weights in learned]
            h = sum(parts[1:], start=parts[0])
        return h

    def embed(self) -> tuple[Tensor, Tensor]:
        """With the neighbours that the parameters of now give, not those of the epoch's start."""
        nodes = layer_mean(self.graph, self.nodes, self.config.n_layers)
        h = self.item_part(self.topology())
        return nodes[: self.n_users], nodes[self.n_users :] + unit_rows(h)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the final rows, L2 on the free ones."""
        items = torch.cat([batch.positives, batch.negatives])
        rows = torch.cat([batch.users, items + self.n_users])
        nodes = layer_mean(self.graph, self.nodes, self.config.n_layers, rows)
        user, *item = nodes.chunk(3)
        content = unit_rows(self.item_part(self.near).index_select(0, items))
        positive, negative = (torch.cat(item) + content).chunk(2)
        free = self.nodes.index_select(0, rows).chunk(3)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(*free),
        }
