"""DualGNN: modalities weighted user by user, tastes shared between users with common items.

Wang, Wei, Yin, Wu, Song and Nie, "DualGNN: Dual Graph Neural Network for Multimedia
Recommendation", IEEE Transactions on Multimedia 2021 (doi 10.1109/TMM.2021.3138298):
- single-modal: x_m = [p_m ; LeakyReLU(W_m f + b_m)], rows scaled to length one; on the user-item
  graph z_m = x_m + Â x_m + ... + Â^L x_m;
- multi-modal: h_u = Σ_m α_um z_um with α_u = softmax(w_u), learned for every user; an item is
  h_i = Σ_m z_im;
- user co-occurrence graph: e_u = h_u + Σ_v a_uv h_v over the k users v with most items in common
  with u, a_u the soft-max of the numbers of common items (or their mean).
A score is e_u·h_i; BPR with L2 on the preferences.

Deviations: the map of the content is one layer wide d (a hidden layer costs more than all the rest
of a step), each modality divided by its mean row norm before it. w_u starts at zero: all modalities
count the same until the data says otherwise. With one modality there is nothing to weigh and
no w.
"""

from typing import Literal, cast

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, leaky_relu

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, unit_scale
from cliper.data import Interactions
from cliper.dense import Linear
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.graphs.cooccurrence import cooccurrence_graph
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class DualGnnConfig(BackboneConfig):
    """Settings of DualGNN; defaults from the paper's experiments."""

    n_layers: int = Field(2, ge=0, le=16, description="user-item layers L")
    neighbours: int = Field(40, ge=1, le=1000, description="k of the user co-occurrence graph")
    neighbour_weights: Literal["softmax", "mean"] = Field(
        "softmax", description="a_uv by the number of common items, or all alike"
    )
    l2: float = Field(1.6e-3, ge=0, le=10, description="λ on the batch's preferences")


@register_backbone("dualgnn", DualGnnConfig, "modality weights per user + a graph between users")
class DualGnn(ContentBackbone):
    """Preferences per modality, weights per user, and two fixed graphs."""

    costs_by_step = True
    adds_up = True
    items_interact = False

    neighbours: Tensor
    neighbour_weights: Tensor

    def __init__(
        self,
        config: DualGnnConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        matrix = interactions.matrix()
        self.graph = SparseGraph(normalized_adjacency(matrix), symmetric=True)
        common = cooccurrence_graph(matrix, config.neighbours)
        neighbours, weights = neighbour_table(common, config.neighbour_weights)
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.register_buffer("neighbour_weights", weights, persistent=False)
        tables = self.add_features(unit_scale(features), generator)
        # The modalities lie side by side.
        self.preferences = embedding_table(self.n_users, len(tables) * d, generator)
        self.add_maps(d, generator, _linear)
        self.modality_logits = (
            nn.Parameter(torch.zeros(self.n_users, len(tables))) if len(tables) > 1 else None
        )

    def propagate(self) -> tuple[Tensor, Tensor]:
        """h of the users (M, d) and of the items (N, d)."""
        content = [leaky_relu(x, inplace=True) for x in self.mapped().values()]
        free = self.preferences.view(self.n_users, len(content), -1)
        # Rows of length L + 1: their mean over the layers is the sum of rows of length one.
        nodes = nodes_of_length(self.config.n_layers + 1, free, content)
        # One by one: a product of twice the width takes three times as long, out of the cache.
        z = [layer_mean(self.graph, x, self.config.n_layers) for x in nodes]
        if self.modality_logits is None:
            return z[0][: self.n_users], z[0][self.n_users :]
        return weighted_nodes(self.modality_logits.softmax(dim=1), z)

    def with_neighbours(self, h: Tensor, users: Tensor | None = None) -> Tensor:
        """e_u = h_u + Σ_v a_uv h_v of all users (M, d), or of `users` (b,): (b, d)."""
        if users is None:
            rows, weights, own = self.neighbours, self.neighbour_weights, h
        else:
            rows = self.neighbours.index_select(0, users)
            weights = self.neighbour_weights.index_select(0, users)
            own = h.index_select(0, users)
        return own + embedding_bag(rows, h, mode="sum", per_sample_weights=weights)

    def embed(self) -> tuple[Tensor, Tensor]:
        """Users with their neighbours, and items."""
        users, items = self.propagate()
        return self.with_neighbours(users), items

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR, and L2 on the preferences of the batch's users."""
        users, items = self.propagate()
        user = self.with_neighbours(users, batch.users)
        rows = torch.cat([batch.positives, batch.negatives])
        positive, negative = items.index_select(0, rows).chunk(2)
        free = self.preferences.index_select(0, batch.users)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(free),
        }


def neighbour_table(common: sp.csr_matrix, weighting: str) -> tuple[Tensor, Tensor]:
    """Neighbours and their weights a_uv, both (M, k), padded with index 0 and weight 0.

    Args:
        common: numbers of common items of each user's neighbours, CSR (M, M).
        weighting: `softmax` of the numbers over each row, or `mean`.
    """
    degrees = np.diff(common.indptr)
    width = max(1, int(degrees.max(initial=0)))
    present = np.arange(width) < degrees[:, None]
    neighbours = np.zeros(present.shape, dtype=np.int64)
    neighbours[present] = common.indices
    logits = np.full(present.shape, -np.inf, dtype=np.float32)
    logits[present] = common.data if weighting == "softmax" else 0.0
    # A user without neighbours has only -inf: no weights at all.
    weights = torch.from_numpy(logits).softmax(dim=1).nan_to_num(0.0)
    return torch.from_numpy(neighbours), weights


def nodes_of_length(length: float, users: Tensor, items: list[Tensor]) -> tuple[Tensor, ...]:
    """Rows scaled to a length, users above items, one (M + N, d) a modality; zero rows stay.

    Args:
        length: of every row that is not zero.
        users: (M, C, d).
        items: C tables (N, d).
    """
    nodes = _NodesOfLength.apply(length, users, *items)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, ...], nodes)


def weighted_nodes(weights: Tensor, nodes: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Σ_c weights[:, c] z_c of the users (M, d), Σ_c z_c of the items (N, d).

    Args:
        weights: of the users' modalities (M, C).
        nodes: C tables (M + N, d), users above items.
    """
    sums = _WeightedNodes.apply(weights, *nodes)  # type: ignore[no-untyped-call]
    return cast(tuple[Tensor, Tensor], sums)


# Both are a few lines of autograd's own; by hand they take half the passes over all the nodes'
# rows, which are most of what a step costs beside its products: nothing is joined or split.


class _NodesOfLength(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, length: float, users: Tensor, *items: Tensor
    ) -> tuple[Tensor, ...]:
        nodes, scales = [], []
        for c, item in enumerate(items):
            y = users.new_empty(len(users) + len(item), users.shape[2])
            norm = y.new_empty(len(y), 1)
            parts = ((users[:, c], slice(None, len(users))), (item, slice(len(users), None)))
            for x, at in parts:
                torch.linalg.vector_norm(x, dim=1, keepdim=True, out=norm[at])
            scale = norm.clamp_(min=1e-6).reciprocal_().mul_(length)
            for x, at in parts:
                torch.mul(x, scale[at], out=y[at])
            nodes.append(y)
            scales.append(scale)
        ctx.save_for_backward(*nodes, *scales)
        ctx.length, ctx.n_users = length, len(users)  # type: ignore[attr-defined]
        return tuple(nodes)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        length: float = ctx.length  # type: ignore[attr-defined]
        m: int = ctx.n_users  # type: ignore[attr-defined]
        n = len(gradients)
        by_users = gradients[0].new_empty(m, n, gradients[0].shape[1])
        by_items = []
        for c, (gradient, y, scale) in enumerate(zip(gradients, saved[:n], saved[n:], strict=True)):
            along = (gradient * y).sum(dim=1, keepdim=True).div_(length**2)
            by_x = torch.addcmul(gradient, y, along, value=-1)
            torch.mul(by_x[:m], scale[:m], out=by_users[:, c])
            by_items.append(by_x[m:].mul_(scale[m:]))
        return None, by_users, *by_items


class _WeightedNodes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, weights: Tensor, *nodes: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(weights, *nodes)
        m = len(weights)
        users, items = nodes[0][:m] * weights[:, :1], nodes[0][m:].clone()
        for c, z in enumerate(nodes[1:], 1):
            users.addcmul_(z[:m], weights[:, c : c + 1])
            items += z[m:]
        return users, items

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, by_users: Tensor, by_items: Tensor
    ) -> tuple[Tensor, ...]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        weights, *nodes = saved
        m = len(weights)
        by_weight, by_nodes = [], []
        for c, z in enumerate(nodes):
            by_z = torch.empty_like(z)
            torch.mul(by_users, weights[:, c : c + 1], out=by_z[:m])
            by_z[m:] = by_items
            by_nodes.append(by_z)
            by_weight.append((by_users * z[:m]).sum(dim=1))
        return torch.stack(by_weight, dim=1), *by_nodes


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    # The bias matters under LeakyReLU, and keeps a row without features away from length zero.
    linear = Linear(inputs, outputs)
    bound = inputs**-0.5
    nn.init.uniform_(linear.weight, -bound, bound, generator=generator)
    nn.init.uniform_(linear.bias, -bound, bound, generator=generator)
    return linear
