"""MGCN: content purified by behaviour, then enriched in a view of its own.

Yu, Tan, Lu and Bao, "Multi-View Graph Convolutional Network for Multimedia Recommendation",
ACM MM 2023 (arXiv 2308.03588). In the order of its Section 3:
- behaviour-guided purifier: Ė_m = W₁_m F_m + b₁_m, Ë_m = E_id ⊙ σ(W₂_m Ė_m + b₂_m) on the items;
- user-item view: Ē_id is LightGCN's layer mean;
- item-item view: S_m the cosines of the k most similar items, normalised by D^(-1/2) S D^(-1/2);
  items Ē_m = S_m Ë_m, users ē_u,m = Σ_{i∈N_u} ē_i,m / √(|N_u||N_i|);
- behaviour-aware fuser: preferences P_m = σ(W₃_m Ē_id + b₃_m), attention
  α_m = softmax_m(qᵀ tanh(W₄ Ē_m + b₄)), shared E_s = Σ_m α_m Ē_m,
  E_mul = E_s + 1/|M| Σ_m (Ē_m - E_s) ⊙ P_m; the final representation is Ē_id + E_mul;
- BPR + λ_c Σ_{users, items} InfoNCE(E_mul, Ē_id; τ) + λ_E ‖E‖².

Deviations: InfoNCE's negatives are the batch's other users (or positive items), each once, not
all M or N: the full sum costs a product of every pair. It compares cosines, and is a mean, so
that λ_c means the same at any batch size. ‖E‖² is LightGCN's: the batch's free rows. Each
modality is divided by its mean row norm. The free row of an item without training interactions
starts at zero: its score is its neighbours'. With one modality E_mul is Ē_m (attention and
preferences cancel), so the fuser has no parameters then. With the MLP fusion the item graph is
built from its initial output and kept.
"""

import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import affine, node_table, unit_scale
from cliper.data import Interactions
from cliper.graphs import SparseGraph, knn_graph, layer_mean, normalized_adjacency
from cliper.losses import bpr, dot, info_nce, squared_norm
from cliper.representation.features import ItemFeatures


class MgcnConfig(BackboneConfig):
    """Settings of MGCN; defaults from the paper, Section 4.1, and its authors' configuration."""

    n_layers: int = Field(2, ge=0, le=16, description="layers of the user-item view")
    neighbours: int = Field(10, ge=1, le=1000, description="k of the item-item view")
    contrast_weight: float = Field(0.01, ge=0, le=10, description="λ_c of the contrastive term")
    temperature: float = Field(0.2, gt=0, le=10, description="τ of the contrastive term")
    l2: float = Field(1e-4, ge=0, le=10, description="λ_E, penalty on the batch's free rows")


@register_backbone("mgcn", MgcnConfig, "purified content in an item view, fused by behaviour")
class Mgcn(ContentBackbone):
    """One table of free rows; views of M + N nodes, users first."""

    def __init__(
        self,
        config: MgcnConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        adjacency = normalized_adjacency(interactions.matrix())
        self.graph = SparseGraph(adjacency, symmetric=True)
        self.user_graph = SparseGraph(adjacency[: self.n_users, self.n_users :], symmetric=False)
        tables = self.add_features(unit_scale(features), generator)
        self.item_graphs = nn.ModuleDict(
            {
                m: SparseGraph(
                    knn_graph(table(), config.neighbours, weighted=True), symmetric=False
                )
                for m, table in tables.items()
            }
        )
        self.purifier = nn.ModuleDict(
            {
                m: nn.Sequential(affine(table.width, d, generator), affine(d, d, generator))
                for m, table in tables.items()
            }
        )
        self.preference = nn.ModuleDict()
        self.attention: nn.Sequential | None = None
        if len(tables) > 1:
            self.preference.update({m: affine(d, d, generator) for m in tables})
            query = nn.Linear(d, 1, bias=False)
            nn.init.xavier_uniform_(query.weight, generator=generator)
            self.attention = nn.Sequential(affine(d, d, generator), nn.Tanh(), query)

    def views(self) -> tuple[Tensor, Tensor]:
        """Ē_id (M + N, d) and the modalities' Ē_m side by side (M + N, |M|·d)."""
        free = self.nodes[self.n_users :]
        items = torch.cat(
            [
                self.item_graphs[m](free * torch.sigmoid(self.purifier[m](table())))
                for m, table in self.features.items()
            ],
            dim=1,
        )
        behaviour = layer_mean(self.graph, self.nodes, self.config.n_layers)
        return behaviour, torch.cat([self.user_graph(items), items])

    def fuse(self, behaviour: Tensor, content: Tensor) -> Tensor:
        """E_mul (n, d) of n nodes from their Ē_id (n, d) and Ē_m (n, |M|·d)."""
        if self.attention is None:
            return content
        parts = content.view(len(content), len(self.features), -1)
        shared = (torch.softmax(self.attention(parts), dim=1) * parts).sum(dim=1, keepdim=True)
        wanted = torch.stack([gate(behaviour) for gate in self.preference.values()], dim=1)
        specific = (parts - shared) * torch.sigmoid(wanted)
        return shared.squeeze(1) + specific.mean(dim=1)

    def embed(self) -> tuple[Tensor, Tensor]:
        """Ē_id + E_mul, split into users and items."""
        behaviour, content = self.views()
        nodes = behaviour + self.fuse(behaviour, content)
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the final rows, InfoNCE between content and behaviour, L2 on the free rows."""
        items = torch.cat([batch.positives, batch.negatives]) + self.n_users
        rows = torch.cat([batch.users, items])
        # The fuser works node by node: once on each node of the batch is enough.
        nodes, at = torch.unique(rows, return_inverse=True)
        behaviour, content = (view.index_select(0, nodes) for view in self.views())
        fused = self.fuse(behaviour, content)
        user, positive, negative = (behaviour + fused).index_select(0, at).chunk(3)
        contrasts = [
            info_nce(fused[who], behaviour[who], self.config.temperature)
            for who in (torch.unique(side) for side in at.chunk(3)[:2])
        ]
        free = self.nodes.index_select(0, rows).chunk(3)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "contrast": self.config.contrast_weight * torch.stack(contrasts).sum(),
            "l2": self.config.l2 * squared_norm(*free),
        }
