"""FREEDOM: a frozen item-item graph and a denoised user-item graph.

Zhou and Shen, "A Tale of Two Graphs: Freezing and Denoising Graph Structures for Multimodal
Recommendation", ACM MM 2023 (arXiv 2211.06924):
- item graph per modality: cosine top-k, ones, normalised (Eq. 3-4), mixed as
  S = α_v S_v + (1-α_v) S_t (Eq. 5);
- each epoch a share 1-ρ of the interaction edges, drawn ∝ 1/√(d_u d_i), normalised (Eq. 7-8);
- h = S^L E_i, users and items by LightGCN's layer mean, item = LightGCN item + h (Eq. 9-12);
- BPR + λ Σ_m BPR(u, W_m f_m) (Eq. 13-14). The full graph serves at inference.

Deviations: W_m has no bias (it cancels in a difference of scores), and W_m (f⁺ - f⁻) is one
product instead of two (the map is linear). The item graph is built from the features as they are
at the start (with the MLP fusion: from its initial output) and kept. The free row of an item
without training interactions starts at zero, so that its score is its neighbours' alone.
"""

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import logsigmoid

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.base import epoch_seed
from cliper.backbones.layers import node_table
from cliper.data import Interactions
from cliper.graphs import (
    SparseGraph,
    layer_mean,
    mixed_knn_graph,
    normalized_adjacency,
    sample_edges,
)
from cliper.losses import bpr, dot
from cliper.representation.features import ItemFeatures


class FreedomConfig(BackboneConfig):
    """Settings of FREEDOM; defaults from the paper, Section 4.4 and its best on Baby."""

    n_layers: int = Field(2, ge=0, le=16, description="user-item layers K")
    n_item_layers: int = Field(1, ge=1, le=16, description="item-item layers L")
    neighbours: int = Field(10, ge=1, le=1000, description="k of the item graph")
    image_weight: float = Field(0.1, ge=0, le=1, description="α_v, with both modalities present")
    edge_dropout: float = Field(0.8, ge=0, lt=1, description="ρ, share of edges left out")
    modality_weight: float = Field(1e-3, ge=0, le=10, description="λ of the modality losses")
    trainable_features: bool = Field(True, description="train the rows f_m, as published")


@register_backbone("freedom", FreedomConfig, "frozen item graph from content + denoised LightGCN")
class Freedom(ContentBackbone):
    """One node table, two graphs."""

    costs_by_step = True
    adds_up = True

    def __init__(
        self,
        config: FreedomConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        self.matrix = interactions.matrix()
        self.graph = SparseGraph(normalized_adjacency(self.matrix), symmetric=True)
        self.pruned = self.graph
        tables = self.add_features(features, generator, trainable=config.trainable_features)
        known = {m: table() for m, table in tables.items()}
        mixed = mixed_knn_graph(known, config.neighbours, config.image_weight)
        self.item_graph = SparseGraph(mixed, symmetric=False)
        if config.modality_weight == 0:
            self.features.clear()  # they have done their work in the graph
        self.add_maps(d, generator)

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Draw this epoch's edges."""
        if self.config.edge_dropout > 0:
            draw = np.random.default_rng(epoch_seed(generator))
            kept = sample_edges(self.matrix, 1 - self.config.edge_dropout, draw)
            graph = SparseGraph(normalized_adjacency(kept), symmetric=True)
            self.pruned = graph.to(self.nodes.device)

    def content_part(self) -> Tensor:
        """What the items' neighbours by content say of them, h (N, d)."""
        h = self.nodes[self.n_users :]
        for _ in range(self.config.n_item_layers):
            h = self.item_graph(h)
        return h

    def embed(self) -> tuple[Tensor, Tensor]:
        """On the full graph."""
        nodes = layer_mean(self.graph, self.nodes, self.config.n_layers)
        return nodes[: self.n_users], nodes[self.n_users :] + self.content_part()

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the pruned graph, and one BPR per modality on the projected features."""
        items = torch.cat([batch.positives, batch.negatives])
        rows = torch.cat([batch.users, items + self.n_users])
        user, *item = layer_mean(self.pruned, self.nodes, self.config.n_layers, rows).chunk(3)
        content = self.content_part().index_select(0, items)
        positive, negative = (torch.cat(item) + content).chunk(2)
        terms = {"bpr": bpr(dot(user, positive), dot(user, negative))}
        differences = self.mapped_differences(batch.positives, batch.negatives)
        for modality, difference in differences.items():
            preference = dot(user, difference)
            terms[modality] = self.config.modality_weight * -logsigmoid(preference).mean()
        return terms
