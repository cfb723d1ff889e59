"""PGL: training on the principal part of the interaction graph, ranking on all of it.

Yu, Tan, Lu and Bao, "Mind Individual Information! Principal Graph Learning for Multimedia
Recommendation", AAAI 2025 (doi 10.1609/aaai.v39i12.33429):
- principal graph, one of two. Global-aware: Â ≈ [[0, U_q Σ_q V_qᵀ], [V_q Σ_q U_qᵀ, 0]] by the
  truncated SVD of the normalised interactions R̂. Local-aware: each epoch a share 1-ρ of the
  edges, drawn ∝ 1/√(d_u d_i), normalised again;
- nodes: per modality a free preference of each user and the projected features W_m f_m of each
  item, side by side; message passing is LightGCN's mean over layers 0..K, on the principal graph
  in training and on the full graph at inference;
- item graph: cosine top-k per modality, frozen, S = α_v S_v + (1-α_v) S_t, h = S^L x_i; item =
  passed message + h;
- self-supervision on the features: two views of a user (of an item) with random features
  dropped, InfoNCE between them;
- BPR + λ_s (InfoNCE of users + of items) + λ L2.

Written from the method as it is known, without equation numbers; docs/backbones/pgl.md says what
is still to be checked against the text.

Deviations: each modality is divided by its mean row norm, and the features themselves stay fixed.
W_m has no bias. L2 is on the batch's own rows of layer 0, as in LightGCN. The item graph is built
from the features as they are at the start (with the MLP fusion: from its initial output). The
views are of the distinct users and positives of a batch: a row that occurs twice would be its own
negative. The low-rank product is never laid out: K layers cost two thin products.
"""

from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from scipy.sparse.linalg import svds
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.base import epoch_seed
from cliper.backbones.layers import embedding_table, unit_scale
from cliper.data import Interactions
from cliper.graphs import (
    SparseGraph,
    layer_mean,
    mixed_knn_graph,
    normalized_adjacency,
    sample_edges,
)
from cliper.losses import bpr, dot, info_nce, squared_norm
from cliper.representation.features import ItemFeatures


class PglConfig(BackboneConfig):
    """Settings of PGL, where `embedding_size` is the width of one modality's part.

    Defaults from the paper's relatives where its own are not known: see docs/backbones/pgl.md.
    """

    principal: Literal["local", "global"] = Field("local", description="the extraction operator")
    n_layers: int = Field(2, ge=0, le=16, description="user-item layers K")
    edge_dropout: float = Field(0.8, ge=0, lt=1, description="ρ, edges left out (local)")
    rank: int = Field(64, ge=1, le=1024, description="q of the truncated SVD (global)")
    n_item_layers: int = Field(1, ge=1, le=16, description="item-item layers L")
    neighbours: int = Field(10, ge=1, le=1000, description="k of the item graph")
    image_weight: float = Field(0.1, ge=0, le=1, description="α_v, with both modalities present")
    feature_dropout: float = Field(0.1, ge=0, lt=1, description="features dropped in each view")
    contrast_weight: float = Field(0.01, ge=0, le=10, description="λ_s of the two views' loss")
    temperature: float = Field(0.2, gt=0, le=10, description="τ of the two views' loss")
    l2: float = Field(1e-4, ge=0, le=10, description="λ, penalty on the batch's layer-0 rows")


class LowRankGraph(nn.Module):
    """The bipartite graph that the q largest singular triples of R̂ make.

    Args:
        matrix: R̂, normalised interactions (M, N).
        rank: q < min(M, N).
        start: the vector that Lanczos' iteration starts from, (min(M, N),).
    """

    users: Tensor
    items: Tensor
    values: Tensor

    def __init__(self, matrix: sp.csr_matrix, rank: int, start: np.ndarray) -> None:
        super().__init__()
        u, s, vt = svds(matrix.astype(np.float64), k=rank, v0=start)
        for name, array in {"users": u, "items": vt.T, "values": s}.items():
            part = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
            self.register_buffer(name, part, persistent=False)

    def layer_mean(self, x: Tensor, n_layers: int) -> Tensor:
        """1/(K+1) Σ_{k=0..K} Aᵏ x for x (M + N, d).

        In the singular basis a layer scales by Σ and swaps the two sides.
        """
        n_users = len(self.users)
        left, right = self.users.T @ x[:n_users], self.items.T @ x[n_users:]
        sum_left, sum_right = torch.zeros_like(left), torch.zeros_like(right)
        for _ in range(n_layers):
            left, right = self.values[:, None] * right, self.values[:, None] * left
            sum_left, sum_right = sum_left + left, sum_right + right
        passed = torch.cat([self.users @ sum_left, self.items @ sum_right])
        return (x + passed) / (n_layers + 1)


@register_backbone("pgl", PglConfig, "training on the principal subgraph, ranking on the full one")
class Pgl(ContentBackbone):
    """User preferences and item content per modality, side by side as one node table."""

    def __init__(
        self,
        config: PglConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        tables = self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator)
        self.users = embedding_table(self.n_users, d * len(tables), generator)
        known = {m: table() for m, table in tables.items()}
        mixed = mixed_knn_graph(known, config.neighbours, config.image_weight)
        self.item_graph = SparseGraph(mixed, symmetric=False)
        self.matrix = interactions.matrix()
        self.graph = SparseGraph(normalized_adjacency(self.matrix), symmetric=True)
        self.principal: SparseGraph | LowRankGraph = self.graph
        # A rank that reaches the smaller side leaves nothing out.
        if config.principal == "global" and config.rank < min(self.matrix.shape):
            adjacency = normalized_adjacency(self.matrix)
            start = torch.rand(min(self.matrix.shape), generator=generator, dtype=torch.float64)
            self.principal = LowRankGraph(
                adjacency[: self.n_users, self.n_users :], config.rank, start.numpy()
            )

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Reseed the views; draw this epoch's edges where the extraction is local."""
        seed = epoch_seed(generator)
        self.draws.manual_seed(seed)
        if self.config.principal == "local" and self.config.edge_dropout > 0:
            kept = sample_edges(
                self.matrix, 1 - self.config.edge_dropout, np.random.default_rng(seed)
            )
            graph = SparseGraph(normalized_adjacency(kept), symmetric=True)
            self.principal = graph.to(self.users.device)

    def layer_zero(self) -> Tensor:
        """Preferences of users and content of items, (M + N, |M|·d)."""
        return torch.cat([self.users, torch.cat(list(self.mapped().values()), dim=1)])

    def propagate(self, x: Tensor, graph: SparseGraph | LowRankGraph) -> tuple[Tensor, Tensor]:
        """Nodes (M + N, |M|·d) by messages along `graph`, and the items' h (N, |M|·d)."""
        if isinstance(graph, LowRankGraph):
            nodes = graph.layer_mean(x, self.config.n_layers)
        else:
            nodes = layer_mean(graph, x, self.config.n_layers)
        h = x[self.n_users :]
        for _ in range(self.config.n_item_layers):
            h = self.item_graph(h)
        return nodes, h

    def embed(self) -> tuple[Tensor, Tensor]:
        """On the full graph."""
        nodes, h = self.propagate(self.layer_zero(), self.graph)
        return nodes[: self.n_users], nodes[self.n_users :] + h

    def _view(self, rows: Tensor) -> Tensor:
        """`rows` with random features dropped (a factor common to all is no matter to a cosine)."""
        drawn = torch.rand(rows.shape, generator=self.draws)
        return rows * (drawn >= self.config.feature_dropout).to(rows)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the principal graph, InfoNCE between two views, L2."""
        x = self.layer_zero()
        nodes, h = self.propagate(x, self.principal)
        users, at_user = torch.unique(batch.users, return_inverse=True)
        positives, at_positive = torch.unique(batch.positives, return_inverse=True)
        items = torch.cat([positives, batch.negatives])
        rows = torch.cat([users, items + self.n_users])
        # One gather of each table: its gradient is as large as the table.
        distinct_user, item = torch.split(nodes.index_select(0, rows), [len(users), len(items)])
        item = item + h.index_select(0, items)
        sizes = [len(positives), len(batch)]
        distinct_positive, negative = torch.split(item, sizes)
        user = distinct_user.index_select(0, at_user)
        positive = distinct_positive.index_select(0, at_positive)
        x_user, x_positive, x_negative = torch.split(x.index_select(0, rows), [len(users), *sizes])
        own = x_user.index_select(0, at_user), x_positive.index_select(0, at_positive), x_negative
        terms = {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(*own),
        }
        if self.config.contrast_weight > 0:
            contrast = [
                info_nce(self._view(d), self._view(d), self.config.temperature)
                for d in (distinct_user, distinct_positive)
            ]
            terms["contrast"] = self.config.contrast_weight * torch.stack(contrast).sum()
        return terms
