"""LGMRec: local interests on graphs, global interests through a few learned hyperedges.

Guo, Li, Li, Wang, Shi and Ruan, "LGMRec: Local and Global Graph Learning for Multimodal
Recommendation", AAAI 2024 (arXiv 2312.16400). In the order of its section on the model:
- local, collaborative: E_id is LightGCN's mean over L layers;
- local, modality: items ẽ_i = W_m f_i, users the mean of their items', then K products with Â, of
  which the last counts: E_m = Â^K Ẽ_m;
- global, hypergraph: V_m holds A learned hyperedges; H_i = F_m V_mᵀ, H_u = R H_i, rows passed
  through a Gumbel softmax, softmax((h + log δ - log(1 - δ)) / τ) with δ ~ U(0, 1);
  from E_i⁰ = E_id (items), layer by layer, E_i' = D(H_i) D(H_i)ᵀ E_i and E_u' = D(H_u) D(H_i)ᵀ E_i
  with D dropout; E_ghe = Σ_m E_m^H over the modalities' last layers;
- fusion: E = E_id + Σ_m norm(E_m) + α norm(E_ghe), norm the rows' L2 normalisation;
- BPR + λ₁ Σ_{users, items} InfoNCE(E_image^H, E_text^H; τ) + λ₂ ‖Θ‖².

Deviations: an item without training interactions keeps its own ẽ_i in every layer of E_m (a
self-loop), since Â would give it zero, and its free row starts at zero. Noise and dropout act in
training alone: a ranking must not be drawn by lot; one dropout mask a step per modality serves
both H_i of a layer. InfoNCE's negatives are the batch's other users (or positive items), each
once, and it is a mean. ‖Θ‖² is LightGCN's: the batch's free rows. Each modality is divided by its
mean row norm. The contrastive term needs two modalities.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import node_table, projection, unit_scale
from cliper.data import Interactions
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.losses import bpr, dot, info_nce, squared_norm
from cliper.representation.features import ItemFeatures


class LgmrecConfig(BackboneConfig):
    """Settings of LGMRec; defaults are the paper's best on Amazon-Baby."""

    n_layers: int = Field(2, ge=0, le=16, description="L, layers of the collaborative graph")
    n_modality_layers: int = Field(2, ge=0, le=16, description="K, layers of the modality graph")
    n_hyper_layers: int = Field(1, ge=1, le=4, description="H, layers of the hypergraph")
    n_hyperedges: int = Field(4, ge=1, le=1024, description="A, hyperedges per modality")
    hyper_dropout: float = Field(0.5, ge=0, lt=1, description="ρ, dropout of hyperedge weights")
    hyper_temperature: float = Field(0.2, gt=0, le=10, description="τ of the Gumbel softmax")
    global_weight: float = Field(0.3, ge=0, le=10, description="α of the global embedding")
    contrast_weight: float = Field(1e-4, ge=0, le=10, description="λ₁ of the contrastive term")
    temperature: float = Field(0.2, gt=0, le=10, description="τ of the contrastive term")
    l2: float = Field(1e-6, ge=0, le=10, description="λ₂, penalty on the batch's free rows")


@register_backbone("lgmrec", LgmrecConfig, "local graphs and a global learned hypergraph")
class Lgmrec(ContentBackbone):
    """One table of free rows; per modality a map into d dimensions and A hyperedges."""

    def __init__(
        self,
        config: LgmrecConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        matrix = interactions.matrix()
        adjacency = normalized_adjacency(matrix)
        self.graph = SparseGraph(adjacency, symmetric=True)
        loops = np.zeros(self.n_users + self.n_items, dtype=np.float32)
        loops[self.n_users :] = interactions.item_counts() == 0
        self.modality_graph = SparseGraph(adjacency + sp.diags(loops), symmetric=True)
        self.user_graph = SparseGraph(matrix, symmetric=False)
        means = sp.diags(1 / np.maximum(interactions.user_counts(), 1)) @ matrix
        self.start = SparseGraph(sp.vstack([means, sp.eye(self.n_items)]), symmetric=False)
        tables = self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator)
        self.hyperedges = nn.ModuleDict(
            {m: projection(t.width, config.n_hyperedges, generator) for m, t in tables.items()}
        )

    def local(self) -> Tensor:
        """E_m side by side (M + N, |M|·d)."""
        nodes = self.start(torch.cat(list(self.mapped().values()), dim=1))
        for _ in range(self.config.n_modality_layers):
            nodes = self.modality_graph(nodes)
        return cast(Tensor, nodes)

    def memberships(self) -> list[tuple[Tensor, Tensor]]:
        """H_u (M, A) and H_i (N, A) of each modality, before the softmax."""
        items = [self.hyperedges[m](table()) for m, table in self.features.items()]
        users = self.user_graph(torch.cat(items, dim=1)).split(self.config.n_hyperedges, dim=1)
        return list(zip(users, items, strict=True))

    def incidence(self, logits: Tensor, noisy: bool) -> Tensor:
        """Rows of H̃ after the Gumbel softmax and dropout, (n, A); plain softmax when ranking."""
        if not noisy:
            return torch.softmax(logits / self.config.hyper_temperature, dim=1)
        drawn, kept = torch.rand(2, *logits.shape, generator=self.draws).to(logits).unbind()
        logits = logits + torch.logit(drawn, eps=1e-6)
        keep = 1 - self.config.hyper_dropout
        weights = torch.softmax(logits / self.config.hyper_temperature, dim=1)
        return weights * (kept < keep).to(logits) / keep

    def centres(self, item_edges: Tensor, x: Tensor) -> Tensor:
        """H̃_iᵀ E_i of the last layer but one, (A, d), from the items' H̃ (N, A) and x (N, d)."""
        for _ in range(self.config.n_hyper_layers - 1):
            x = item_edges @ (item_edges.T @ x)
        return item_edges.T @ x

    def fuse(self, behaviour: Tensor, local: Tensor, wide: Sequence[Tensor]) -> Tensor:
        """E = E_id + Σ_m norm(E_m) + α norm(E_ghe) of n nodes: (n, d)."""
        parts = normalize(local.view(len(local), len(wide), -1), dim=2).sum(dim=1)
        overall = normalize(torch.stack(tuple(wide)).sum(dim=0), dim=1)
        return behaviour + parts + self.config.global_weight * overall

    def embed(self) -> tuple[Tensor, Tensor]:
        """Without noise or dropout."""
        users, items = (
            torch.arange(n, device=self.nodes.device) for n in (self.n_users, self.n_items)
        )
        return self.represent(users, items, noisy=False)[0]

    def represent(
        self, users: Tensor, items: Tensor, *, noisy: bool
    ) -> tuple[tuple[Tensor, Tensor], list[tuple[Tensor, Tensor]]]:
        """Final rows of some users (n,) and items (k,), and each modality's E^H of both."""
        behaviour = layer_mean(self.graph, self.nodes, self.config.n_layers)
        wide = []
        for user_logits, item_logits in self.memberships():
            user_edges = self.incidence(user_logits.index_select(0, users), noisy)
            item_edges = self.incidence(item_logits, noisy)
            centres = self.centres(item_edges, behaviour[self.n_users :])
            wide.append((user_edges @ centres, item_edges.index_select(0, items) @ centres))
        local = self.local()
        user_rows, item_rows = (
            self.fuse(behaviour.index_select(0, rows), local.index_select(0, rows), side)
            for rows, side in zip(
                (users, items + self.n_users), zip(*wide, strict=True), strict=True
            )
        )
        return (user_rows, item_rows), wide

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the fused rows, InfoNCE between the modalities' E^H, L2 on the free rows."""
        # A node that occurs twice in the batch has one noise, one row, one share in the contrast.
        taken = torch.cat([batch.positives, batch.negatives])
        who, user_at = torch.unique(batch.users, return_inverse=True)
        what, item_at = torch.unique(taken, return_inverse=True)
        (users, items), wide = self.represent(who, what, noisy=self.training)
        user = users.index_select(0, user_at)
        positive, negative = items.index_select(0, item_at).chunk(2)
        terms = {"bpr": bpr(dot(user, positive), dot(user, negative))}
        if len(wide) > 1:
            temperature, bought = self.config.temperature, torch.unique(item_at[: len(batch)])
            (image_users, image_items), (text_users, text_items) = wide
            contrast = info_nce(image_users, text_users, temperature) + info_nce(
                image_items[bought], text_items[bought], temperature
            )
            terms["contrast"] = self.config.contrast_weight * contrast
        rows = torch.cat([batch.users, taken + self.n_users])
        free = self.nodes.index_select(0, rows).chunk(3)
        terms["l2"] = self.config.l2 * squared_norm(*free)
        return terms
