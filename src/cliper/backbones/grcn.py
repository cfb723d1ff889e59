"""GRCN: the interaction graph is refined by content before identifiers travel over it.

Wei, Wang, Nie, He and Chua, "Graph-Refined Convolutional Network for Multimedia Recommendation
with Implicit Feedback", ACM MM 2020 (arXiv 2111.02036), layer by layer:
- graph refining, prototypes: ī_m = LeakyReLU(W_m i_m + b_m); T rounds of neighbour routing,
  p_ui = softmax over N(u) of u_m·ī_m, u_m ← (u_m + Σ_i p_ui ī_m) / ‖·‖₂;
- graph refining, edges: an affinity per direction, s_ui = softmax over N(u) of u_m·ī_m and
  s_iu = softmax over N(i); over the modalities e = ReLU(max_m c_m s_m) with the receiving node's
  trained confidences c, or the plain maximum or mean;
- graph convolution: id^(l) = Σ e id^(l-1), id* = Σ_{l=0..L} id^(l);
- prediction: u = [id*, u_image, u_text], i = [id*, ī_image, ī_text], their inner product;
- BPR + λ ‖Θ‖².

Deviations: confidences start at one instead of at random, since a node that starts with negative
ones only is cut off by the ReLU and gets no gradient ever after. L2 covers the batch's own free
rows (identifiers and first prototypes), not every parameter. Each modality is divided by its mean
row norm, so that affinities start on one scale whatever encoder made them. The identifier of an
item without training interactions starts at zero: its score is its content's.
"""

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, item_table, unit_scale
from cliper.data import Interactions
from cliper.graphs import bipartite_edges
from cliper.losses import bpr, dot, squared_norm
from cliper.representation.features import ItemFeatures


class GrcnConfig(BackboneConfig):
    """Settings of GRCN; depth, rounds and fusion from the paper's experiments, the penalty ours."""

    n_layers: int = Field(2, ge=1, le=16, description="convolutions L on the refined graph")
    n_routings: int = Field(3, ge=1, le=16, description="rounds T of neighbour routing")
    fusion: Literal["confidence", "max", "mean"] = Field(
        "confidence", description="how the modalities' affinities make one edge weight"
    )
    l2: float = Field(1e-3, ge=0, le=10, description="λ, penalty on the batch's free rows")


@register_backbone("grcn", GrcnConfig, "content refines the edges that identifiers travel over")
class Grcn(ContentBackbone):
    """Prototypes of users per modality, edges weighted by them, identifiers convolved."""

    costs_by_step = True
    adds_up = True
    items_interact = False

    def __init__(
        self,
        config: GrcnConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.users = embedding_table(self.n_users, d, generator)
        self.items = item_table(interactions, d, generator)
        tables = self.add_features(unit_scale(features), generator)
        self.add_maps(d, generator)
        self.bias = nn.ParameterDict({m: torch.zeros(d) for m in tables})
        self.prototypes = nn.ParameterDict(
            {m: embedding_table(self.n_users, d, generator) for m in tables}
        )
        self.to_users, self.to_items = bipartite_edges(interactions.matrix())
        self.user_confidence: nn.Parameter | None = None
        self.item_confidence: nn.Parameter | None = None
        if config.fusion == "confidence":
            self.user_confidence = nn.Parameter(torch.ones(len(tables), self.n_users))
            self.item_confidence = nn.Parameter(torch.ones(len(tables), self.n_items))

    def route(self, modality: str) -> tuple[Tensor, Tensor]:
        """Prototypes u_m (M, d) after T rounds, and the items' ī_m (N, d)."""
        linear = cast(nn.Linear, self.content[modality])
        items = leaky_relu(linear(self.features[modality]()) + self.bias[modality])
        users: Tensor = self.prototypes[modality]
        for _ in range(self.config.n_routings):
            share = self.to_users.softmax(self.to_users.dot(users, items))
            users = normalize(users + self.to_users(share, items), dim=1)
        return users, items

    def refine(self, contents: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """Edge weights (E,) towards users and towards items, of (u_m, ī_m) per modality."""
        logits = [self.to_users.dot(users, items) for users, items in contents]
        towards_users = [self.to_users.softmax(x) for x in logits]
        # The same inner products, in the order of the transposed graph's edges.
        turned = [x.index_select(0, self.to_users.order) for x in logits]
        towards_items = [self.to_items.softmax(x) for x in turned]
        return (
            self.fuse(towards_users, self.user_confidence, self.to_users.rows),
            self.fuse(towards_items, self.item_confidence, self.to_items.rows),
        )

    def fuse(self, shares: list[Tensor], confidence: Tensor | None, receivers: Tensor) -> Tensor:
        """e (E,) of each modality's s_m (E,) and the receiving nodes' c (modalities, nodes)."""
        if confidence is not None:
            pairs = zip(confidence, shares, strict=True)
            shares = [c.index_select(0, receivers) * s for c, s in pairs]
        every = torch.stack(shares)
        return every.mean(dim=0) if self.config.fusion == "mean" else every.amax(dim=0).relu()

    def parts(self) -> tuple[list[Tensor], list[Tensor]]:
        """id* and one part per modality, each (M, d) and each (N, d)."""
        contents = [self.route(modality) for modality in self.features]
        towards_users, towards_items = self.refine(contents)
        users, items = cast(Tensor, self.users), cast(Tensor, self.items)
        all_users, all_items = [users], [items]
        for _ in range(self.config.n_layers):
            users, items = self.to_users(towards_users, items), self.to_items(towards_items, users)
            all_users.append(users)
            all_items.append(items)
        return (
            [sum(all_users[1:], all_users[0]), *(users for users, _ in contents)],
            [sum(all_items[1:], all_items[0]), *(items for _, items in contents)],
        )

    def embed(self) -> tuple[Tensor, Tensor]:
        """The parts side by side."""
        users, items = self.parts()
        return torch.cat(users, dim=1), torch.cat(items, dim=1)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the whole representation, L2 on the batch's identifiers and first prototypes."""
        # Rows are picked part by part: only they are put side by side.
        users, items = self.parts()
        user = torch.cat([x.index_select(0, batch.users) for x in users], dim=1)
        positive = torch.cat([x.index_select(0, batch.positives) for x in items], dim=1)
        negative = torch.cat([x.index_select(0, batch.negatives) for x in items], dim=1)
        free = [self.users, *self.prototypes.values()]
        rows = [table.index_select(0, batch.users) for table in free]
        rows += [self.items.index_select(0, x) for x in (batch.positives, batch.negatives)]
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * squared_norm(*rows),
        }
