"""PDA-GNN: a node has several embeddings, and each travels its own distance.

Wu, He, Yang, Tai, Wang and Zhang, "PDA-GNN: Propagation-depth-aware graph neural networks for
recommendation", World Wide Web 26(5), 2023. The article is not open. Its abstract names three
parts; the authors' public code, read for its equations and settings, has the rest:
- attributes: a node has K+1 free rows E^0..E^K, and E^k travels k hops,
  X^k = 1/(k+1) Σ_{l=0..k} Â^l E^k;
- attention over a node's own attributes, as a graph attention layer does over neighbours:
  z_k = W x^k, α_kl = softmax_l LeakyReLU(aᵀ [z_k, z_l]), e = Σ_k Σ_l α_kl z_l;
- attribute distance normalisation: Σ_{k<l} cos(e^k, e^l) of the free rows, mean over the batch's
  rows: what a node is near and far shall not be the same;
- BPR + λ L2 + μ times that distance; edges are dropped while it trains.

This is a reading, not the article's equations: the mean over l, the form of the attention (slope
0.2) and the cosine are the authors' public configuration; that the distance runs over all K+1
attributes is ours.

L2 falls on the batch's final rows, as the authors have it: on the free ones alone it would be made
up for by W.

Deviations: W and a are not penalised. Edges are dropped once an epoch for all attributes and both
directions, and those that stay are scaled by 1/(1-p). Free rows start as all tables here do.
"""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from cliper.backbones import Backbone, BackboneConfig, Batch, register_backbone
from cliper.backbones.base import epoch_seed
from cliper.backbones.layers import embedding_table, projection
from cliper.data import Interactions
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures

SLOPE = 0.2


class PdaGnnConfig(BackboneConfig):
    """Settings of PDA-GNN; defaults from its authors' configuration, but d and λ."""

    n_layers: int = Field(3, ge=1, le=16, description="K: attributes 0..K travel 0..K hops")
    edge_dropout: float = Field(0.4, ge=0, lt=1, description="share of edges left out")
    distance_weight: float = Field(1e-3, ge=0, le=10, description="μ, attributes of a node apart")
    l2: float = Field(3e-2, ge=0, le=10, description="λ, penalty on the batch's final rows")


@register_backbone("pda-gnn", PdaGnnConfig, "attributes that travel different distances; ids")
class PdaGnn(Backbone):
    """K+1 node tables on one graph, and an attention over them."""

    costs_by_step = True
    adds_up = True

    def __init__(
        self,
        config: PdaGnnConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d, n = config, config.embedding_size, self.n_users + self.n_items
        self.attributes = nn.ParameterList(
            embedding_table(n, d, generator) for _ in range(config.n_layers + 1)
        )
        self.value = projection(d, d, generator)
        self.query = embedding_table(2, d, generator)
        adjacency = normalized_adjacency(interactions.matrix())
        self.graph = SparseGraph(adjacency, symmetric=True)
        self.block = sp.coo_matrix(adjacency[: self.n_users, self.n_users :])
        self.pruned = self.graph

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Draw this epoch's edges."""
        if self.config.edge_dropout > 0:
            seed = epoch_seed(generator)
            share = 1 - self.config.edge_dropout
            kept = np.random.default_rng(seed).random(self.block.nnz) < share
            edges = self.block.row[kept], self.block.col[kept]
            block = sp.csr_matrix((self.block.data[kept] / share, edges), shape=self.block.shape)
            graph = SparseGraph(sp.bmat([[None, block], [block.T, None]]), symmetric=True)
            self.pruned = graph.to(self.query.device)

    def propagate(self, graph: SparseGraph) -> list[Tensor]:
        """X^0..X^K, (M + N, d) each."""
        return [layer_mean(graph, table, hops) for hops, table in enumerate(self.attributes)]

    def integrate(self, parts: list[Tensor]) -> Tensor:
        """e (n, d) of n nodes from their x^0..x^K (n, d) each.

        W is linear: z_k meets `a` as x^k meets Wᵀ a, and W maps the mixture once, not each part.
        """
        stacked = torch.stack(parts, dim=1)
        own, other = (stacked @ (self.query @ self.value.weight).T).unbind(dim=2)
        alpha = torch.softmax(leaky_relu(own[:, :, None] + other[:, None, :], SLOPE), dim=2)
        mixed = (alpha.sum(dim=1)[:, :, None] * stacked).sum(dim=1)
        final: Tensor = self.value(mixed)
        return final

    def embed(self) -> tuple[Tensor, Tensor]:
        """On the full graph."""
        nodes = self.integrate(self.propagate(self.graph))
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR and L2 on the integrated rows of the pruned graph, distance of the free ones."""
        items = torch.cat([batch.positives, batch.negatives]) + self.n_users
        rows = torch.cat([batch.users, items])
        # Attention and distance are a node's own: once on each node of the batch is enough.
        nodes, at = torch.unique(rows, return_inverse=True)
        parts = [x.index_select(0, nodes) for x in self.propagate(self.pruned)]
        user, positive, negative = self.integrate(parts).index_select(0, at).chunk(3)
        alike = alikeness([table.index_select(0, nodes) for table in self.attributes])
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(user, positive, negative),
            "distance": self.config.distance_weight * alike.index_select(0, at).mean(),
        }


def alikeness(attributes: list[Tensor]) -> Tensor:
    """Σ_{k<l} cos(e^k, e^l) of each of n rows (n, d), by ½ (‖Σ_k ê^k‖² − Σ_k ‖ê^k‖²): (n,).

    >>> alikeness([torch.ones(1, 4), 2 * torch.ones(1, 4), -torch.ones(1, 4)]).tolist()
    [-1.0]
    """
    unit = torch.stack([normalize(rows, dim=1) for rows in attributes])
    return (unit.sum(dim=0).pow(2).sum(dim=1) - unit.pow(2).sum(dim=(0, 2))) / 2
