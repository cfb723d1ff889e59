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
no w. The L2 is a mean over elements, which one λ suits whatever d is.
"""

from typing import Literal, cast

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, leaky_relu

from cliper.backbones.base import (
    Backbone,
    BackboneConfig,
    Batch,
    embedding_table,
    feature_tables,
    unit_scale,
)
from cliper.backbones.registry import register_backbone
from cliper.data import Interactions
from cliper.dense import Linear
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.graphs.cooccurrence import cooccurrence_graph
from cliper.losses import bpr, dot
from cliper.representation.features import ItemFeatures


class DualGnnConfig(BackboneConfig):
    """Settings of DualGNN; defaults from the paper's experiments."""

    n_layers: int = Field(2, ge=0, le=16, description="user-item layers L")
    neighbours: int = Field(40, ge=1, le=1000, description="k of the user co-occurrence graph")
    neighbour_weights: Literal["softmax", "mean"] = Field(
        "softmax", description="a_uv by the number of common items, or all alike"
    )
    l2: float = Field(0.1, ge=0, le=10, description="λ on the batch's preferences")


@register_backbone("dualgnn", DualGnnConfig, "modality weights per user + a graph between users")
class DualGnn(Backbone):
    """Preferences per modality, weights per user, and two fixed graphs."""

    uses_features = True
    neighbours: Tensor
    neighbour_weights: Tensor

    def __init__(
        self,
        config: DualGnnConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        assert features is not None
        self.n_layers, self.l2, d = config.n_layers, config.l2, config.embedding_size
        matrix = interactions.matrix()
        self.graph = SparseGraph(normalized_adjacency(matrix), symmetric=True)
        common = cooccurrence_graph(matrix, config.neighbours)
        neighbours, weights = neighbour_table(common, config.neighbour_weights)
        self.register_buffer("neighbours", neighbours, persistent=False)
        self.register_buffer("neighbour_weights", weights, persistent=False)
        tables = feature_tables(unit_scale(features), generator)
        self.features = nn.ModuleDict(tables)
        # The modalities lie side by side, here and in the graph that they share: one product.
        self.preferences = embedding_table(self.n_users, len(tables) * d, generator)
        self.content = nn.ModuleDict(
            {m: _linear(table.width, d, generator) for m, table in tables.items()}
        )
        self.modality_logits = (
            nn.Parameter(torch.zeros(self.n_users, len(tables))) if len(tables) > 1 else None
        )

    def propagate(self) -> tuple[Tensor, Tensor]:
        """h of the users (M, d) and of the items (N, d)."""
        content = [
            leaky_relu(self.content[m](table()), inplace=True) for m, table in self.features.items()
        ]
        free = self.preferences.view(self.n_users, len(content), -1)
        # Rows of length L + 1: their mean over the layers is the sum of rows of length one.
        x = nodes_of_length(self.n_layers + 1, free, content)
        z = layer_mean(self.graph, x.flatten(1), self.n_layers)
        if self.modality_logits is None:
            return z[: self.n_users], z[self.n_users :]
        return weighted_nodes(z.view_as(x), self.modality_logits.softmax(dim=1))

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
            "l2": self.l2 * free.pow(2).mean(),
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


def nodes_of_length(length: float, users: Tensor, items: list[Tensor]) -> Tensor:
    """Users (M, C, d) above items, C tables (N, d), rows scaled to a length: (M + N, C, d).

    A row of zeros stays.
    """
    return cast(Tensor, _NodesOfLength.apply(length, users, *items))  # type: ignore[no-untyped-call]


def weighted_nodes(z: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_c weights[:, c] z[:M, c] of the users (M, d), Σ_c z[M:, c] of the items (N, d).

    Args:
        z: nodes in C modalities (M + N, C, d).
        weights: of the users' modalities (M, C).
    """
    return cast(
        tuple[Tensor, Tensor],
        _WeightedNodes.apply(z, weights),  # type: ignore[no-untyped-call]
    )


# Both are a few lines of autograd's own; by hand they take half the passes over all the nodes'
# rows, which are most of what a step costs beside its products: nothing is joined or split.


class _NodesOfLength(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, length: float, users: Tensor, *items: Tensor
    ) -> Tensor:
        n_users, n_items = len(users), len(items[0])
        y = users.new_empty(n_users + n_items, len(items), users.shape[2])
        scale = users.new_empty(n_users + n_items, len(items), 1)
        parts = [(users, y[:n_users], scale[:n_users])]
        parts += [(x, y[n_users:, c], scale[n_users:, c]) for c, x in enumerate(items)]
        for x, out, by in parts:
            torch.linalg.vector_norm(x, dim=-1, keepdim=True, out=by)
            torch.mul(x, by.clamp_(min=1e-6).reciprocal_().mul_(length), out=out)
        ctx.save_for_backward(y, scale)
        ctx.length, ctx.n_users = length, n_users  # type: ignore[attr-defined]
        return y

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        y, scale = ctx.saved_tensors  # type: ignore[attr-defined]
        along = (gradient * y).sum(dim=-1, keepdim=True) / ctx.length**2  # type: ignore[attr-defined]
        by_x = torch.addcmul(gradient, y, along, value=-1).mul_(scale)
        n_users: int = ctx.n_users  # type: ignore[attr-defined]
        return None, by_x[:n_users], *by_x[n_users:].unbind(dim=1)


class _WeightedNodes(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, z: Tensor, weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(z, weights)
        users = z[: len(weights)]
        total = users[:, 0] * weights[:, :1]
        for c in range(1, z.shape[1]):
            total.addcmul_(users[:, c], weights[:, c : c + 1])
        return total, z[len(weights) :].sum(1)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, by_users: Tensor, by_items: Tensor
    ) -> tuple[Tensor, Tensor]:
        z, weights = ctx.saved_tensors  # type: ignore[attr-defined]
        by_z = torch.empty_like(z)
        torch.mul(by_users[:, None], weights[:, :, None], out=by_z[: len(weights)])
        by_z[len(weights) :] = by_items[:, None]
        by_weight = [(by_users * z[: len(weights), c]).sum(dim=1) for c in range(z.shape[1])]
        return by_z, torch.stack(by_weight, dim=1)


def _linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    # The bias matters under LeakyReLU, and keeps a row without features away from length zero.
    linear = Linear(inputs, outputs)
    bound = inputs**-0.5
    nn.init.uniform_(linear.weight, -bound, bound, generator=generator)
    nn.init.uniform_(linear.bias, -bound, bound, generator=generator)
    return linear
