"""MGAT: gated attention over the neighbours, in one graph per modality.

Tao, Wei, Wang, He, Huang and Chua, "MGAT: Multimodal Graph Attention Network for Recommendation",
Information Processing and Management 57(5), 2020 (doi 10.1016/j.ipm.2020.102277). Per modality m,
with a trained preference e_m of each user, projected content e_m of each item, and one ID
embedding e of each node, every layer does for a node h and its neighbours t:
- attention f_a(h,t) = softmax over N(h) of e_m,h·e_m,t;
- gate f_g(h,t): σ(e_m,h·e_m,t / √|N(h)|) (inner product), σ(w·[e_m,h, e_m,t]) (concatenation) or
  σ(w₁·(e_m,h + e_m,t) + w₂·(e_m,h ⊙ e_m,t)) (bi-interaction);
- aggregation a_m,h = LeakyReLU(Σ_t f_a f_g W₁ e_m,t);
- combination e_m,h ← LeakyReLU(W₃ a_m,h + LeakyReLU(W₂ e_m,h) + e_h).
All layers' outputs side by side, averaged (or side by side) over modalities; the score is an inner
product; BPR + λ ‖Θ‖².

Deviations: the first layer's inputs have unit length, so that attention starts from the direction
of preferences and content, not from their scale. Of the tables (identifiers and preferences) L2
covers the batch's own rows; of the other parameters everything, unless `map_l2` is false, which
costs quality among warm items and gives some among cold ones. The identifier of an item without
training interactions starts at zero: it has no neighbours either, and its score is its content's.
"""

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import embedding_table, item_table, projection, unit_scale
from cliper.data import Interactions
from cliper.graphs import EdgeGraph, bipartite_edges
from cliper.losses import bpr, dot, shared_norm, squared_norm
from cliper.representation.features import ItemFeatures

Gate = Literal["inner_product", "concatenation", "bi_interaction"]
Pair = tuple[Tensor, Tensor]  # of users and of items


class MgatConfig(BackboneConfig):
    """Settings of MGAT; depth, gate and fusion from the paper's experiments, the penalty ours."""

    n_layers: int = Field(2, ge=1, le=8, description="attention layers L")
    gate: Gate = Field("inner_product", description="what opens an edge, f_g")
    fusion: Literal["mean", "concatenation"] = Field("mean", description="over the modalities")
    l2: float = Field(1e-3, ge=0, le=10, description="λ, penalty on the batch's free rows")
    map_l2: bool = Field(True, description="l2 also on content maps and layers; paper: true")


class GatedAttention(nn.Module):
    """One layer of one modality: W₁, W₂, W₃ and the gate's own weights."""

    def __init__(self, width: int, gate: Gate, generator: torch.Generator) -> None:
        super().__init__()
        self.gate = gate
        self.message, self.own, self.combine = (
            projection(width, width, generator) for _ in range(3)
        )
        if gate != "inner_product":
            self.weights = embedding_table(2, width, generator)

    def openness(self, to_users: EdgeGraph, logits: Tensor, users: Tensor, items: Tensor) -> Pair:
        """f_g (E,) towards users and towards items, both in the order of `to_users`' edges.

        Args:
            to_users: the edges, users by items.
            logits: e_m,h·e_m,t of every edge (E,), the same in both directions.
            users, items: e_m (M, d) and (N, d).
        """
        u, i = to_users.rows, to_users.columns
        if self.gate == "inner_product":
            user_scale, item_scale = (
                index.bincount().to(logits).rsqrt().index_select(0, index) for index in (u, i)
            )
            return (logits * user_scale).sigmoid(), (logits * item_scale).sigmoid()
        if self.gate == "concatenation":
            # w·[h, t] splits into two numbers per node, so that no edge needs a vector.
            user = (users @ self.weights.T).index_select(0, u)
            item = (items @ self.weights.T).index_select(0, i)
            return (user[:, 0] + item[:, 1]).sigmoid(), (item[:, 0] + user[:, 1]).sigmoid()
        first, second = self.weights
        added = (users @ first).index_select(0, u) + (items @ first).index_select(0, i)
        gate = (added + to_users.dot(users * second, items)).sigmoid()
        return gate, gate

    def update(self, received: Tensor, nodes: Tensor, free: Tensor) -> Tensor:
        """Aggregation and combination of nodes that received Σ_t f_a f_g e_m,t, all (n, d)."""
        aggregated = leaky_relu(self.message(received), inplace=True)
        own = leaky_relu(self.own(nodes), inplace=True)
        return leaky_relu(self.combine(aggregated) + own + free, inplace=True)

    def forward(self, to_users: EdgeGraph, to_items: EdgeGraph, nodes: Pair, free: Pair) -> Pair:
        """The next e_m of users (M, d) and items (N, d), from e_m and the ID embeddings."""
        users, items = nodes
        logits = to_users.dot(users, items)
        gate_users, gate_items = self.openness(to_users, logits, users, items)
        # What belongs to an edge of `to_items` is found at `order` of `to_users`' edges.
        turned, gate_items = (x.index_select(0, to_users.order) for x in (logits, gate_items))
        by_users = to_users(to_users.softmax(logits) * gate_users, items)
        by_items = to_items(to_items.softmax(turned) * gate_items, users)
        return self.update(by_users, users, free[0]), self.update(by_items, items, free[1])


@register_backbone("mgat", MgatConfig, "gated attention over neighbours, one graph per modality")
class Mgat(ContentBackbone):
    """One table of identifiers, and per modality user preferences, a projection and layers."""

    costs_by_step = True
    adds_up = True
    items_interact = False

    def __init__(
        self,
        config: MgatConfig,
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
        self.preferences = nn.ParameterDict(
            {m: embedding_table(self.n_users, d, generator) for m in tables}
        )
        self.layers = nn.ModuleDict(
            {
                m: nn.ModuleList(
                    GatedAttention(d, config.gate, generator) for _ in range(config.n_layers)
                )
                for m in tables
            }
        )
        self.to_users, self.to_items = bipartite_edges(interactions.matrix())

    def propagate(self, modality: str) -> list[Pair]:
        """e_m of users (M, d) and items (N, d) after every layer."""
        content = self.content[modality](self.features[modality]())
        # A row of which nothing is known stays short: at full length its gradient is unbounded.
        users, items = (normalize(x, eps=0.01) for x in (self.preferences[modality], content))
        outputs = []
        for layer in cast(nn.ModuleList, self.layers[modality]):
            free = (self.users, self.items)
            users, items = layer(self.to_users, self.to_items, (users, items), free)
            outputs.append((users, items))
        return outputs

    def fuse(self, tables: list[list[Tensor]], rows: Tensor | None = None) -> Tensor:
        """Layers side by side, over modalities the mean or side by side too: (n, width).

        Args:
            tables: of users or of items, by modality and layer, each (M or N, d).
            rows: which rows (n,); all of them by default.
        """
        each = [
            torch.cat([x if rows is None else x.index_select(0, rows) for x in layers], dim=1)
            for layers in tables
        ]
        if self.config.fusion == "concatenation":
            return torch.cat(each, dim=1)
        return torch.stack(each).mean(dim=0)

    def parts(self) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """The tables of users and those of items, by modality and layer."""
        each = [self.propagate(modality) for modality in self.features]
        users = [[users for users, _ in layers] for layers in each]
        return users, [[items for _, items in layers] for layers in each]

    def embed(self) -> Pair:
        """Fused users and items."""
        users, items = self.parts()
        return self.fuse(users), self.fuse(items)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR on the fused nodes, L2 on the batch's identifiers and preferences, and on maps."""
        users, items = self.parts()
        user = self.fuse(users, batch.users)
        positive, negative = (self.fuse(items, x) for x in (batch.positives, batch.negatives))
        free = [self.users, *self.preferences.values()]
        rows = [table.index_select(0, batch.users) for table in free]
        rows += [self.items.index_select(0, x) for x in (batch.positives, batch.negatives)]
        penalty = squared_norm(*rows)
        if self.config.map_l2:
            maps = [w for part in (self.content, self.layers) for w in part.parameters()]
            penalty = penalty + shared_norm(*maps)
        return {
            "bpr": bpr(dot(user, positive), dot(user, negative)),
            "l2": self.config.l2 * penalty,
        }
