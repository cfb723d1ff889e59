"""MMGCN: one graph convolution per modality, tied together by the IDs.

Wei, Wang, Nie, He, Hong and Chua, "MMGCN: Multi-modal Graph Convolution Network for Personalized
Recommendation of Micro-video", ACM MM 2019. For each modality m, with x⁰ of a user a learned
preference and x⁰ of an item its content, a layer is:
- h = LeakyReLU(mean over the neighbours of W₁ x), the aggregation (Eq. 1);
- x̂ = LeakyReLU(W₂ x) + id, with an ID embedding that all modalities and layers share (Eq. 3);
- x ← LeakyReLU(W₃ [h ‖ x̂]) (Eq. 4) or LeakyReLU(W₃ h + x̂) (Eq. 5), the combination.
After L layers the modalities are combined linearly (Eq. 8); BPR with L2 (Eq. 10).

Deviations: content enters through a map to width d, so that preference and content are equally
wide in every layer (the paper lets the first layer change the width), each modality divided by its
mean row norm. The modalities are averaged, not summed: a score does not grow with their number.
The max aggregation (Eq. 2) is not offered. The L2 is on the batch's ID embeddings and preferences,
as a mean over their elements, which one λ suits whatever d is; the maps have none. The ID embedding
of an item without training interactions is zero.
"""

from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from cliper.backbones.base import (
    Backbone,
    BackboneConfig,
    Batch,
    cold_items,
    embedding_table,
    feature_tables,
    projection,
    unit_scale,
)
from cliper.backbones.registry import register_backbone
from cliper.data import Interactions
from cliper.graphs import SparseGraph
from cliper.losses import bpr, dot
from cliper.representation.features import ItemFeatures


class MmgcnConfig(BackboneConfig):
    """Settings of MMGCN; defaults from the paper, Section 3.3."""

    n_layers: int = Field(3, ge=1, le=16, description="layers L")
    combination: Literal["concatenate", "add"] = Field(
        "concatenate", description="how a layer joins neighbours and self, Eq. 4 or Eq. 5"
    )
    l2: float = Field(1e-3, ge=0, le=10, description="λ on ID embeddings and preferences")


class Layer(nn.Module):
    """Aggregation and combination of one modality: nodes (n, d) to nodes (n, d)."""

    def __init__(self, width: int, combination: str, generator: torch.Generator) -> None:
        super().__init__()
        self.aggregate = projection(width, width, generator)
        self.own = projection(width, width, generator)
        joined = 2 * width if combination == "concatenate" else width
        self.combine = projection(joined, width, generator)

    def forward(self, mean: SparseGraph, x: Tensor, id: Tensor, rows: Tensor | None) -> Tensor:
        """The layer's output for all nodes, or for `rows` (b,) alone."""
        # The mean of W₁ x is W₁ of the mean, and of the latter only the wanted rows are needed.
        gathered = mean(x)
        if rows is not None:
            gathered, x, id = (t.index_select(0, rows) for t in (gathered, x, id))
        h = leaky_relu(self.aggregate(gathered), inplace=True)
        own = leaky_relu(self.own(x), inplace=True) + id
        if self.combine.in_features == self.combine.out_features:
            return leaky_relu(self.combine(h) + own, inplace=True)
        # W₃ [h ‖ x̂] without writing the concatenation.
        from_neighbours, from_self = self.combine.weight.chunk(2, dim=1)
        joined = torch.addmm(h @ from_neighbours.T, own, from_self.T)
        return leaky_relu(joined, inplace=True)


@register_backbone("mmgcn", MmgcnConfig, "a graph convolution per modality, tied by shared IDs")
class Mmgcn(Backbone):
    """Users and items are one node set, in one copy of the graph per modality."""

    uses_features = True

    def __init__(
        self,
        config: MmgcnConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        assert features is not None
        self.l2, d = config.l2, config.embedding_size
        self.mean = SparseGraph(mean_adjacency(interactions.matrix()), symmetric=False)
        cold = cold_items(interactions) + self.n_users
        self.ids = embedding_table(self.n_users + self.n_items, d, generator, zero=cold)
        tables = feature_tables(unit_scale(features), generator)
        self.features = nn.ModuleDict(tables)
        self.preferences = nn.ParameterDict(
            {m: embedding_table(self.n_users, d, generator) for m in tables}
        )
        self.content = nn.ModuleDict(
            {m: projection(table.width, d, generator) for m, table in tables.items()}
        )
        self.layers = nn.ModuleDict(
            {
                m: nn.ModuleList(
                    Layer(d, config.combination, generator) for _ in range(config.n_layers)
                )
                for m in tables
            }
        )

    def propagate(self, rows: Tensor | None = None) -> Tensor:
        """Mean over the modalities of the last layer: all nodes (M + N, d), or `rows` (b, d)."""
        outputs = []
        for modality, table in self.features.items():
            x = torch.cat([self.preferences[modality], self.content[modality](table())])
            *layers, last = self.layers[modality]
            for layer in layers:
                x = layer(self.mean, x, self.ids, None)
            outputs.append(last(self.mean, x, self.ids, rows))
        return torch.stack(outputs).mean(0)

    def embed(self) -> tuple[Tensor, Tensor]:
        """The nodes, split into users and items."""
        nodes = self.propagate()
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the batch's nodes, L2 on their IDs and on their users' preferences."""
        items = torch.cat([batch.positives, batch.negatives]) + self.n_users
        rows = torch.cat([batch.users, items])
        needed, place = torch.unique(rows, return_inverse=True)
        user, positive, negative = self.propagate(needed).index_select(0, place).chunk(3)
        penalty = self.ids.index_select(0, rows).pow(2).mean()
        for preference in self.preferences.values():
            penalty = penalty + preference.index_select(0, batch.users).pow(2).mean()
        return {"bpr": bpr(dot(user, positive), dot(user, negative)), "l2": self.l2 * penalty}


def mean_adjacency(interactions: sp.csr_matrix) -> sp.csr_matrix:
    """D⁻¹ [[0, R], [Rᵀ, 0]]: a row averages its neighbours; an isolated node's row is empty."""
    adjacency = sp.bmat([[None, interactions], [interactions.T, None]], format="csr")
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    inverse = np.divide(1.0, degrees, out=np.zeros_like(degrees), where=degrees > 0)
    return sp.csr_matrix(sp.diags(inverse) @ adjacency, dtype=np.float32)
