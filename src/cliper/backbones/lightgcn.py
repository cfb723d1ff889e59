"""LightGCN: propagation over the user-item graph and nothing else.

He et al., "LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation",
SIGIR 2020 (arXiv 2002.02126): E^(k+1) = Â E^(k) (Eq. 8), the mean over layers (Eq. 10 with
α_k = 1/(K+1)), BPR with L2 on the batch's layer-0 rows (Eq. 15).

Deviation: none.
"""

import torch
from pydantic import Field
from torch import Tensor

from cliper.backbones import Backbone, BackboneConfig, Batch, register_backbone
from cliper.backbones.layers import embedding_table
from cliper.data import Interactions
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class LightGcnConfig(BackboneConfig):
    """Settings of LightGCN; defaults from the paper, Section 4.1.2."""

    n_layers: int = Field(3, ge=0, le=16, description="propagation layers K")
    l2: float = Field(1e-4, ge=0, le=10, description="penalty on the batch's layer-0 rows")


@register_backbone("lightgcn", LightGcnConfig, "linear propagation over the user-item graph; ids")
class LightGcn(Backbone):
    """One table holds users and items, as one node set of the bipartite graph."""

    costs_by_step = True
    adds_up = True

    def __init__(
        self,
        config: LightGcnConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config = config
        self.nodes = embedding_table(self.n_users + self.n_items, config.embedding_size, generator)
        self.graph = SparseGraph(normalized_adjacency(interactions.matrix()), symmetric=True)

    def embed(self) -> tuple[Tensor, Tensor]:
        """Mean over the layers, split into users and items."""
        nodes = layer_mean(self.graph, self.nodes, self.config.n_layers)
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the propagated rows, L2 on the free ones."""
        positives, negatives = batch.positives + self.n_users, batch.negatives + self.n_users
        rows = torch.cat([batch.users, positives, negatives])
        nodes = layer_mean(self.graph, self.nodes, self.config.n_layers, rows)
        user, positive, negative = nodes.chunk(3)
        free = self.nodes.index_select(0, rows).chunk(3)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(*free),
        }
