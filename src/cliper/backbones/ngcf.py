"""NGCF: messages that depend on how alike sender and receiver are.

Wang, He, Wang, Feng and Chua, "Neural Graph Collaborative Filtering", SIGIR 2019
(arXiv 1905.08108):
- message i → u: (W₁ e_i + W₂ (e_i ⊙ e_u)) / √(|N_u| |N_i|) (Eq. 2-3), and W₁ e_u to oneself;
- e_u ← LeakyReLU(own message + Σ_i messages) (Eq. 4), as matrices (Eq. 7)
  E ← LeakyReLU((Â + I) E W₁ + (Â E ⊙ E) W₂);
- a node is the concatenation of its layers 0..L, a score their inner product (Eq. 9-10);
- BPR + λ ‖Θ‖² (Eq. 11); message and node dropout as in Section 2.4.2.

Deviations: λ falls on the rows of E in the batch, as the literature trains, and on all W. The
slope of LeakyReLU, which the paper leaves open, is 0.2. A dropped message is dropped whole, by
its edge and layer, as the paper's text has it, not entry by entry after the sum.
"""

from collections.abc import Iterator

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from cliper.backbones import Backbone, BackboneConfig, Batch, register_backbone
from cliper.backbones.layers import embedding_table, projection
from cliper.data import Interactions
from cliper.graphs import EdgeGraph, SparseGraph, normalized_adjacency
from cliper.losses import bpr, dot, shared_norm, squared_norm
from cliper.representation.features import ItemFeatures

SLOPE = 0.2


class NgcfConfig(BackboneConfig):
    """Settings of NGCF; defaults from the paper, Section 4.2.3, λ the least of its grid."""

    n_layers: int = Field(3, ge=0, le=16, description="propagation layers L")
    message_dropout: float = Field(0.1, ge=0, lt=1, description="share of messages left out")
    node_dropout: float = Field(0.0, ge=0, lt=1, description="share of nodes that send nothing")
    l2: float = Field(1e-5, ge=0, le=10, description="λ, on the batch's layer-0 rows and W₁, W₂")


@register_backbone("ngcf", NgcfConfig, "graph convolution with weights and affinities; ids")
class Ngcf(Backbone):
    """One node table, L layers with two maps each."""

    costs_by_step = True
    adds_up = True

    def __init__(
        self,
        config: NgcfConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config = config
        d, layers = config.embedding_size, range(config.n_layers)
        self.nodes = embedding_table(self.n_users + self.n_items, d, generator)
        self.plain = nn.ModuleList(projection(d, d, generator) for _ in layers)
        self.affine = nn.ModuleList(projection(d, d, generator) for _ in layers)
        adjacency = normalized_adjacency(interactions.matrix())
        adjacency.sort_indices()  # the order of the edges in `EdgeGraph`
        self.graph = SparseGraph(adjacency, symmetric=True)
        self.weights: Tensor
        if config.message_dropout > 0:
            edges = adjacency.tocoo()
            self.edges = EdgeGraph(edges.row, edges.col, edges.shape)
            self.register_buffer("weights", torch.from_numpy(edges.data), persistent=False)

    def kept(self, size: int, dropout: float) -> Tensor:
        """1/(1-p) with probability 1-p, else 0: (size,)."""
        drawn = torch.rand(size, generator=self.draws) >= dropout
        return (drawn.float() / (1 - dropout)).to(self.nodes.device)

    def received(self, x: Tensor, *, drop: bool) -> tuple[Tensor, Tensor]:
        """What reaches each node from its neighbours, Â E, and with itself, (Â + I) E."""
        if drop and self.config.node_dropout > 0:
            x = x * self.kept(len(x), self.config.node_dropout)[:, None]
        if not drop or self.config.message_dropout == 0:
            neighbours: Tensor = self.graph(x)
            return neighbours, neighbours + x
        weights = self.weights * self.kept(len(self.weights), self.config.message_dropout)
        own = self.kept(len(x), self.config.message_dropout)
        neighbours = self.edges(weights, x)
        return neighbours, torch.addcmul(neighbours, x, own[:, None])

    def layers(self, *, drop: bool) -> Iterator[Tensor]:
        """E of each layer 0..L, (M + N, d) each."""
        x: Tensor = self.nodes
        yield x
        for plain, affine in zip(self.plain, self.affine, strict=True):
            neighbours, everything = self.received(x, drop=drop)
            x = leaky_relu(plain(everything) + affine(neighbours * x), SLOPE)
            yield x

    def embed(self) -> tuple[Tensor, Tensor]:
        """The layers side by side, with nothing dropped."""
        nodes = torch.cat(list(self.layers(drop=False)), dim=1)
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the concatenated rows, L2 on the free ones and the maps."""
        positives, negatives = batch.positives + self.n_users, batch.negatives + self.n_users
        rows = torch.cat([batch.users, positives, negatives])
        # Picking before concatenating spares a copy of every node's every layer.
        picked = [x.index_select(0, rows) for x in self.layers(drop=True)]
        user, positive, negative = torch.cat(picked, dim=1).chunk(3)
        penalty = squared_norm(*picked[0].chunk(3))
        maps = [linear.weight for linear in (*self.plain, *self.affine)]
        if maps:
            penalty = penalty + shared_norm(*maps)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * penalty,
        }
