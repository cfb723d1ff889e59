"""MMGCN: one graph convolution per modality, tied together by the IDs.

Wei, Wang, Nie, He, Hong and Chua, "MMGCN: Multi-modal Graph Convolution Network for Personalized
Recommendation of Micro-video", ACM MM 2019. For each modality, with x⁰ of a user a learned
preference and x⁰ of an item its content, a layer is
- aggregation: h = LeakyReLU(mean over the neighbours of W₁ x);
- combination: x̂ = LeakyReLU(W₂ x) + id, with an ID embedding that modalities and layers share,
  then x ← LeakyReLU(W₃ [h ‖ x̂]) (g_co) or LeakyReLU(W₃ h + x̂) (g_ele).
After L layers the modalities are added up; a score is an inner product; BPR with L2.

Deviations: content enters through a map to width d, each modality divided by its mean row norm, so
that preference and content are equally wide from the first layer on. The modalities are averaged,
not added: a score does not grow with their number. The L2 is on the batch's ID embeddings and
preferences; the maps have none. The max aggregation is not offered. The ID of an item without
training interactions is zero. For a share `id_dropout` of the batch's items the training scores are
those of a cold item: no neighbours and no ID in any layer (after Volkovs, Yu and Poutanen,
"DropoutNet", NeurIPS 2017); 0, the default, is the paper, which forgets what content says as soon
as IDs explain the training pairs.
"""

from typing import Literal, cast

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, node_table, unit_scale
from cliper.backbones.mmgcn_layer import Layer
from cliper.data import Interactions
from cliper.graphs import SparseGraph
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class MmgcnConfig(BackboneConfig):
    """Settings of MMGCN; defaults from the paper, Section 3.3."""

    n_layers: int = Field(3, ge=1, le=16, description="layers L")
    combination: Literal["concatenate", "add"] = Field(
        "concatenate", description="how a layer joins neighbours and self, Eq. 4 or Eq. 5"
    )
    l2: float = Field(3e-5, ge=0, le=10, description="λ on the batch's IDs and preferences")
    id_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the batch's items that are seen as cold"
    )


@register_backbone("mmgcn", MmgcnConfig, "a graph convolution per modality, tied by shared IDs")
class Mmgcn(ContentBackbone):
    """Users and items are one node set, in one copy of the graph per modality."""

    costs_by_step = True
    adds_up = True
    items_interact = False

    def __init__(
        self,
        config: MmgcnConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.mean = SparseGraph(mean_adjacency(interactions.matrix()), symmetric=False)
        self.ids = node_table(interactions, d, generator)
        tables = self.add_features(unit_scale(features), generator)
        self.preferences = nn.ParameterDict(
            {m: embedding_table(self.n_users, d, generator) for m in tables}
        )
        self.add_maps(d, generator)
        self.layers = nn.ModuleDict(
            {
                m: nn.ModuleList(
                    Layer(d, config.combination, generator) for _ in range(config.n_layers)
                )
                for m in tables
            }
        )

    def stack(self, modality: str) -> list[Layer]:
        """The layers of one modality, first to last."""
        return [cast(Layer, layer) for layer in cast(nn.ModuleList, self.layers[modality])]

    def propagate(self, rows: Tensor | None = None) -> Tensor:
        """Mean over the modalities of the last layer: all nodes (M + N, d), or `rows` (b, d)."""
        outputs = []
        for modality, content in self.mapped().items():
            x = torch.cat([self.preferences[modality], content])
            *layers, last = self.stack(modality)
            for layer in layers:
                x = layer(x, self.mean, self.ids, None)
            outputs.append(last(x, self.mean, self.ids, rows))
        return torch.stack(outputs).mean(0)

    def isolated(self, items: Tensor) -> Tensor:
        """What items (n,) would be without any interaction, from content alone: (n, d)."""
        outputs = []
        for modality, x in self.mapped(items).items():
            for layer in self.stack(modality):
                x = layer.alone(x)
            outputs.append(x)
        return torch.stack(outputs).mean(0)

    def embed(self) -> tuple[Tensor, Tensor]:
        """The nodes, split into users and items."""
        nodes = self.propagate()
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the batch's nodes, L2 on their IDs and on their users' preferences."""
        items = torch.cat([batch.positives, batch.negatives])
        rows = torch.cat([batch.users, items + self.n_users])
        needed, place = torch.unique(rows, return_inverse=True)
        nodes = self.propagate(needed).index_select(0, place)
        user, item = nodes[: len(batch)], nodes[len(batch) :]
        if self.config.id_dropout > 0:
            drawn = torch.rand(len(items), generator=self.draws) < self.config.id_dropout
            chosen = drawn.nonzero().squeeze(1).to(items.device)
            item = item.index_copy(0, chosen, self.isolated(items.index_select(0, chosen)))
        positive, negative = item.chunk(2)
        free = [*self.ids.index_select(0, rows).chunk(3)]
        free += [table.index_select(0, batch.users) for table in self.preferences.values()]
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(*free),
        }


def mean_adjacency(interactions: sp.csr_matrix) -> sp.csr_matrix:
    """D⁻¹ [[0, R], [Rᵀ, 0]]: a row averages its neighbours; an isolated node's row is empty."""
    adjacency = sp.bmat([[None, interactions], [interactions.T, None]], format="csr")
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    inverse = np.divide(1.0, degrees, out=np.zeros_like(degrees), where=degrees > 0)
    return sp.csr_matrix(sp.diags(inverse) @ adjacency, dtype=np.float32)
