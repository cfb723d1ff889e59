"""MMSSL: modality-aware relations learnt against a discriminator, and contrasted with taste.

Wei, Huang, Xia and Zhang, "Multi-Modal Self-Supervised Learning for Recommendation", WWW 2023
(arXiv 2302.10632). With t_m = Drop(W_m f_m + b_m) of the items, R the observed matrix:
- modality-aware users f_u^m = Σ_{i∈N_u} t_i^m / √|N_u| and items f_i^m = Σ_{u∈N_i} f_u^m / √|N_i|;
  a generated relation row is Â_u^m = cos(f_u^m, f_i^m) over all items i (Section 3.1.1);
- an observed row is made soft, Ǎ_u = softmax((R_u + s·Gumbel)/τ_g) + ζ cos(h_u, h_i) (3.1.3);
- min over the generator, max over D of Σ_m E D(Ǎ) - E D(Â^m) - λ_1 E(‖∇D(ξǍ + (1-ξ)Â^m)‖ - 1)²,
  D of two layers and a sigmoid (3.1.2-3.1.4);
- ê^m aggregates the free rows e over the k items that Â^m puts nearest each user, by 1/√|N^m|;
  attention between the modalities of a node, lets one view depend on the
  other: ē^m = ‖_h Σ_m' softmax_m'((ê^m W_Q)_h · (ê^m' W_K)_h / √(d/H)) ê_h^m' (3.2.1);
- h = LightGCN's layer mean of e + η norm(mean_m ē^m) (3.2.2);
- L_C = -Σ_m mean_u log(exp(s(ē_u^m, h_u)) / Σ_u'[exp(s(ē_u^m, h_u')) + exp(s(ē_u^m, ē_u'^m))])
  over some of the batch's users, s the cosine divided by τ (3.2.3);
- ŷ = ĥ_u · ĥ_i with ĥ = h + ω Σ_m norm(f^m); BPR + λ_2 L_C + λ_3 L_adv + λ_4 L2 (3.3).

Deviations: one optimiser steps on one sum, so the min-max is a gradient reversal: D's gradient is
as it is, the generator's has its sign turned. λ_3 then scales both, and Adam cancels it for D. Rows
are made and judged for a few users of the batch. Both kinds of rows are scaled to length 1: a
cosine row is a hundred times longer than an observed one, and D would look no further. D has no
batch norm (the penalty is one row's; on rows of length 1 a norm's slope is far from 1) and no
dropout, and its width is fixed instead of a share of N. The published Gumbel noise has s = 1; the
largest of N draws is then about log N, and drowns the ones of R. u' = u is left out of the second
sum of L_C. A head has its columns of ê as values, which needs no output map; one modality alone
has nothing to attend to. The neighbours by Â^m are found anew at each epoch's start, for a chunk of
users at a time. An item without training interactions has t_i^m in place of f_i^m, which is a
smoothed t_i^m, and a free row of zero. Each modality is divided by its mean row norm.
"""

import math
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, leaky_relu, normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import (
    affine,
    node_table,
    projection,
    unit_scale,
    warm_mask,
)
from cliper.data import Interactions
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.graphs.bipartite import inverse_sqrt
from cliper.graphs.knn import CHUNK_FLOATS
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class MmsslConfig(BackboneConfig):
    """Settings of MMSSL."""

    n_layers: int = Field(2, ge=0, le=16, description="propagation layers L")
    n_heads: int = Field(4, ge=1, le=64, description="heads H of the attention over modalities")
    neighbours: int = Field(10, ge=1, le=1000, description="k items per user in a learnt relation")
    dropout: float = Field(0.2, ge=0, lt=1, description="on the transformed features")
    view_weight: float = Field(0.5, ge=0, le=10, description="η, learnt views in the embeddings")
    content_weight: float = Field(0.5, ge=0, le=10, description="ω, f^m in the final embeddings")
    temperature: float = Field(0.5, gt=0, le=10, description="τ of the contrast")
    contrast_users: int = Field(512, ge=2, le=16384, description="users contrasted per step")
    contrast_weight: float = Field(0.03, ge=0, le=10, description="λ_2")
    adversarial_weight: float = Field(0.01, ge=0, le=10, description="λ_3")
    adversarial_users: int = Field(64, ge=1, le=4096, description="rows made and judged per step")
    discriminator_width: int = Field(64, ge=1, le=4096, description="hidden width of D")
    gradient_penalty: float = Field(1.0, ge=0, le=100, description="λ_1")
    gumbel_noise: float = Field(0.1, ge=0, le=1, description="s, noise on observed rows")
    gumbel_temperature: float = Field(0.2, gt=0, le=10, description="τ_g of the observed rows")
    auxiliary_weight: float = Field(0.1, ge=0, le=10, description="ζ, scores in observed rows")
    l2: float = Field(1e-5, ge=0, le=10, description="λ_4, penalty on the batch's free rows")


class Reversal(torch.autograd.Function):
    """The identity with its gradient's sign turned: what is minimised behind it rises before it."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        """The rows as they are."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        """The gradient, turned."""
        return -gradient


class Discriminator(nn.Module):
    """D: relation rows (n, N) to (n,), near 1 for what it takes for observed."""

    def __init__(self, n_items: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = affine(n_items, width, generator)
        self.second = affine(width, width, generator)
        self.last = affine(width, 1, generator)

    def forward(self, rows: Tensor) -> Tensor:
        """D(rows)."""
        hidden = leaky_relu(self.second(leaky_relu(self.first(rows))))
        return cast(Tensor, self.last(hidden).sigmoid().squeeze(1))

    def penalty(self, rows: Tensor) -> Tensor:
        """E(‖∇D‖ - 1)² at rows (n, N)."""
        rows = rows.detach().requires_grad_()
        (slope,) = torch.autograd.grad(self(rows).sum(), rows, create_graph=True)
        return ((slope.pow(2).sum(1) + 1e-12).sqrt() - 1).pow(2).mean()


class ModalityAttention(nn.Module):
    """Heads of attention between the two modalities of one node; no node sees another.

    A softmax over two is the logistic function of their difference, and the keys are linear, so
    one pass over the difference of the two views is all of Eq. 9's sums.

    Args:
        width: d.
        heads: H, at most d; where H does not divide d, heads differ in width by one.
        generator: source of the initial weights.
    """

    heads: Tensor

    def __init__(self, width: int, heads: int, generator: torch.Generator) -> None:
        super().__init__()
        heads = min(heads, width)
        self.query = projection(width, width, generator)
        self.key = projection(width, width, generator)
        head = torch.arange(width) * heads // width
        self.register_buffer("heads", torch.eye(heads)[head], persistent=False)  # (d, H)
        self.scale = math.sqrt(heads / width)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """ē of the two views ê, (n, d) each."""
        difference = first - second
        key = self.key(difference) * self.scale

        def mix(view: Tensor) -> Tensor:
            share = ((self.query(view) * key) @ self.heads).sigmoid()
            return torch.addcmul(second, share @ self.heads.T, difference)

        return mix(first), mix(second)


@register_backbone("mmssl", MmsslConfig, "relations generated from content against a discriminator")
class Mmssl(ContentBackbone):
    """One node table; per modality a map of features and a graph of generated relations."""

    costs_by_step = True
    unknown: Tensor

    def __init__(
        self,
        config: MmsslConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        self.matrix = sp.csr_matrix(interactions.matrix(), dtype=np.float32)
        self.graph = SparseGraph(normalized_adjacency(self.matrix), symmetric=True)
        self.to_users = SparseGraph(row_scaled(self.matrix), symmetric=False)
        self.to_items = SparseGraph(row_scaled(self.matrix.T), symmetric=False)
        self.register_buffer("unknown", 1 - warm_mask(interactions), persistent=False)
        self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator, affine)
        self.attention: ModalityAttention | None = None
        if len(self.features) > 1:
            self.attention = ModalityAttention(d, config.n_heads, generator)
        self.discriminator: Discriminator | None = None
        if config.adversarial_weight > 0:
            self.discriminator = Discriminator(self.n_items, config.discriminator_width, generator)
        # Kept in the state: the scores of a saved model are those of its last epoch's relations.
        self.relations = nn.ModuleDict()
        self.find_relations()

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Reseed the noise and find each user's neighbours by the relations as they are now."""
        super().on_epoch_start(generator)
        self.find_relations()

    @torch.no_grad()
    def find_relations(self) -> None:
        """A graph per modality: the k items that Â^m puts nearest each user, and the way back."""
        k = min(self.config.neighbours, self.n_items)
        silent = np.repeat(np.diff(self.matrix.indptr) == 0, k)  # a user of whom nothing is known
        for m, (users, items) in self.modality_aware(dropout=0.0).items():
            unit, catalogue = normalize(users, dim=1), normalize(items, dim=1)
            chunks = torch.split(unit, max(1, CHUNK_FLOATS // self.n_items))
            nearest = torch.cat([(rows @ catalogue.T).topk(k).indices for rows in chunks])
            columns = nearest.cpu().numpy().ravel()
            rows = np.repeat(np.arange(self.n_users), k)
            matrix = sp.csr_matrix(
                (np.where(silent, 0, 1).astype(np.float32), (rows, columns)), self.matrix.shape
            )
            both = sp.bmat([[None, row_scaled(matrix)], [row_scaled(matrix.T), None]], format="csr")
            graph = SparseGraph(both, symmetric=False, persistent=True)
            self.relations[m] = graph.to(self.nodes.device)

    def modality_aware(self, dropout: float) -> dict[str, tuple[Tensor, Tensor]]:
        """f_u^m (M, d) and f_i^m (N, d) of each modality."""
        result = {}
        for m, t in self.mapped().items():
            if dropout > 0:
                kept = torch.rand(t.shape, generator=self.draws) >= dropout
                t = t * (kept.to(t) / (1 - dropout))
            users = self.to_users(t)
            result[m] = users, self.to_items(users) + self.unknown * t
        return result

    def propagate(self) -> tuple[Tensor, list[Tensor]]:
        """h of all nodes (M + N, d), and the views ē^m (M + N, d)."""
        views = [graph(self.nodes) for graph in self.relations.values()]
        if self.attention is not None:
            views = list(self.attention(*views))
        total = views[0] if len(views) == 1 else views[0] + views[1]
        nodes = self.nodes + self.config.view_weight * normalize(total, dim=1)
        return layer_mean(self.graph, nodes, self.config.n_layers), views

    def final(self, h: Tensor, *content: Tensor) -> Tensor:
        """ĥ = h + ω Σ_m norm(f^m) of any rows (n, d)."""
        for f in content:
            h = h + self.config.content_weight * normalize(f, dim=1)
        return h

    def embed(self) -> tuple[Tensor, Tensor]:
        """ĥ without dropout."""
        nodes, _ = self.propagate()
        f_users, f_items = zip(*self.modality_aware(dropout=0.0).values(), strict=True)
        users = self.final(nodes[: self.n_users], *f_users)
        return users, self.final(nodes[self.n_users :], *f_items)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR, λ_2 L_C, λ_3 L_adv and λ_4 L2."""
        config = self.config
        nodes, views = self.propagate()
        content = self.modality_aware(config.dropout if self.training else 0.0).values()
        items = torch.cat([batch.positives, batch.negatives])
        rows = torch.cat([batch.users, items + self.n_users])
        h_user, h_item = torch.split(nodes.index_select(0, rows), [len(batch), len(items)])
        user = self.final(h_user, *(f_u.index_select(0, batch.users) for f_u, _ in content))
        item = self.final(h_item, *(f_i.index_select(0, items) for _, f_i in content))
        positive, negative = item.chunk(2)
        terms = {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": config.l2 * squared_norm(*self.nodes.index_select(0, rows).chunk(3)),
        }
        if config.contrast_weight > 0:
            who = torch.unique(batch.users[: config.contrast_users])
            h = nodes.index_select(0, who)
            parts = [contrast(v.index_select(0, who), h, config.temperature) for v in views]
            terms["contrast"] = config.contrast_weight * torch.stack(parts).sum()
        if self.discriminator is not None:
            who = batch.users[: config.adversarial_users]
            made = [relation_rows(f_u.index_select(0, who), f_i) for f_u, f_i in content]
            observed = self.observed_rows(who, nodes.detach())
            terms["adversarial"] = config.adversarial_weight * self.duel(observed, made)
        return terms

    def observed_rows(self, who: Tensor, nodes: Tensor) -> Tensor:
        """Ǎ of users (n,), from h of all nodes: (n, N) of length 1 each, without gradients."""
        config = self.config
        observed = torch.from_numpy(self.matrix[who.cpu().numpy()].toarray())
        uniform = torch.rand(observed.shape, generator=self.draws).clamp_(1e-12, 1 - 1e-7)
        noisy = observed - config.gumbel_noise * torch.log(-torch.log(uniform))
        soft = (noisy.to(nodes.device) / config.gumbel_temperature).softmax(1)
        unit = normalize(nodes, dim=1)
        scores = unit.index_select(0, who) @ unit[self.n_users :].T
        return normalize(soft + config.auxiliary_weight * scores, dim=1)

    def duel(self, observed: Tensor, made: list[Tensor]) -> Tensor:
        """What D minimises and, behind the reversal, the maker of the rows (n, N) maximises."""
        assert self.discriminator is not None
        rows = torch.cat(made)
        reversed_rows = cast(Tensor, Reversal.apply(rows))  # type: ignore[no-untyped-call]
        gap: Tensor = self.discriminator(reversed_rows).mean() - self.discriminator(observed).mean()
        share = torch.rand(len(rows), 1, generator=self.draws).to(rows)
        between = share * observed.repeat(len(made), 1) + (1 - share) * rows.detach()
        penalty: Tensor = self.discriminator.penalty(between)
        return (gap + self.config.gradient_penalty * penalty) * len(made)


def relation_rows(users: Tensor, items: Tensor) -> Tensor:
    """Â_u^m of users (n, d) over all items (N, d), each row scaled to length 1: (n, N)."""
    return normalize(normalize(users, dim=1) @ normalize(items, dim=1).T, dim=1)


def row_scaled(matrix: sp.spmatrix) -> sp.csr_matrix:
    """Each row divided by the square root of its sum; explicit zeros stay."""
    csr = sp.csr_matrix(matrix, dtype=np.float32, copy=True)
    scale = inverse_sqrt(np.asarray(csr.sum(axis=1), dtype=np.float32).ravel())
    csr.data *= np.repeat(scale, np.diff(csr.indptr))
    return csr


def contrast(view: Tensor, h: Tensor, temperature: float) -> Tensor:
    """L_C of one modality: ē^m (n, d) against h (n, d) of the same users, and against itself."""
    view, h = normalize(view, dim=1), normalize(h, dim=1)
    cosines = view @ torch.cat([h, view]).T / temperature
    index = torch.arange(len(view), device=view.device)
    cosines = cosines.index_put((index, index + len(view)), cosines.new_tensor(-math.inf))
    return cross_entropy(cosines, index)
