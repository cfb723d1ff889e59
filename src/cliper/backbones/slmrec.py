"""SLMRec: one graph convolution per channel, and self-supervision between the channels.

Tao, Liu, Xia, Wang, Yang, Huang and Chua, "Self-supervised Learning for Multimedia
Recommendation", IEEE Transactions on Multimedia 25 (2022; doi 10.1109/TMM.2022.3187556),
Section III:
- channels c: ID, image, text. Items x_i^c are an ID embedding or W_c f_i, users one table that
  all channels share; each channel goes through LightGCN's layer mean over K layers;
- fusion: users and items each concatenate their channels and map them, W [x^ID ‖ x^v ‖ x^t];
- main loss: InfoNCE of a batch's pairs at temperature τ, the other rows as negatives;
- self-supervision at temperature τ', weighted, on the batch's items, by one of three tasks:
  FD, feature dropout: two views of the fused item, each with its own dropout of the features;
  FM, feature masking: two views, each without one channel;
  FAC, fine and coarse: z = G x^ID meets H_v x^v in a fine space, then G' z meets H_t x^t in a
  coarse one; each contrast draws an item's two sides together.

Deviations: the main loss weighs a batch's items by how rarely they are drawn (`info_nce`;
`correct_popularity: false` is the paper). A popular item is a negative in nearly every row, and
without the weights the loss is least where a cosine leaves popularity out. A score is the cosine,
as it is what InfoNCE trains; `score: product` is the paper without its sigmoid, which saturates and
makes ties; lengths then bring some popularity back, and that of an item without training
interactions, which says nothing, is the mean of the others'. An item that a batch holds twice
enters the self-supervision once, or it would be its own negative. The two masked channels of FM are
drawn anew in each step and for all items at once; dropout in FD falls on W_c f_i, not on the ID.
With one modality FAC has the fine space alone. Each modality is divided by its mean row norm. The
ID embedding of an item without training interactions starts at zero. The sampler's negatives are
not used: every loss finds its negatives in the batch.

All of this but a cosine is linear and the graph bipartite. So what comes from the users, the
same in every channel, is propagated once; what comes from the items with all channels side by
side; features that are fixed are propagated once and for all, before W_c; users are fused before
the last product, not after; each product needs one half of the adjacency; and a masked channel is
the users' part alone. The layer mean's 1/(K+1) cancels in every cosine and is left out.
"""

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import (
    embedding_table,
    item_table,
    projection,
    unit_scale,
    warm_mask,
)
from cliper.data import Interactions
from cliper.dense import linear
from cliper.graphs import SparseGraph, normalized_adjacency
from cliper.losses import info_nce, squared_norm
from cliper.representation.features import ItemFeatures


class SlmRecConfig(BackboneConfig):
    """Settings of SLMRec; defaults as its authors publish them, unless said otherwise."""

    n_layers: int = Field(3, ge=0, le=16, description="user-item layers K")
    task: Literal["fac", "fd", "fm"] = Field("fac", description="self-supervised task")
    temperature: float = Field(0.2, ge=0.01, le=10, description="τ of the main loss")
    ssl_temperature: float = Field(0.1, ge=0.01, le=10, description="τ' of the task")
    ssl_weight: float = Field(0.1, ge=0, le=100, description="weight of the task")
    feature_dropout: float = Field(0.1, ge=0, lt=1, description="share dropped in each view of FD")
    l2: float = Field(1e-4, ge=0, le=10, description="penalty on the batch's ID embeddings")
    correct_popularity: bool = Field(
        True, description="in-batch negatives weighed by how rarely they are drawn; paper: false"
    )
    score: Literal["product", "cosine"] = Field("cosine", description="of fused rows, in rankings")


def echoes(x: Tensor, there: SparseGraph, back: SparseGraph, times: int) -> Tensor:
    """Sum of the even powers 0, 2, … 2·`times` of a bipartite adjacency, on the side of x (n, w).

    There and back again is one even power more. The odd powers, on the other side, are `there` of
    the even ones below them.
    """
    total = x
    for _ in range(times):
        total = x + back(there(total))
    return total


@register_backbone("slmrec", SlmRecConfig, "graph channels contrasted with one another")
class SlmRec(ContentBackbone):
    """One user table, one item table per channel, two fusing maps."""

    items_interact = False

    def __init__(
        self,
        config: SlmRecConfig,
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
        self.register_buffer("known", warm_mask(interactions), persistent=False)
        share = interactions.item_counts().clip(min=1) / max(len(interactions), 1)
        self.register_buffer("probability", torch.from_numpy(share).float(), persistent=False)
        self.n_channels = 1 + len(tables)
        self.fuse_users = projection(self.n_channels * d, d, generator)
        self.fuse_items = projection(self.n_channels * d, d, generator)
        block = normalized_adjacency(interactions.matrix())[: self.n_users, self.n_users :]
        self.to_users = SparseGraph(block, symmetric=False)
        self.to_items = SparseGraph(block.T, symmetric=False)
        # What fixed features become on the way does not change: W_c comes after it.
        k = config.n_layers
        self.times = k // 2, max(k - 1, 0) // 2
        self.fixed = [m for m, table in tables.items() if table.mlp is None]
        for modality in self.fixed:
            for times in set(self.times):
                heard = echoes(tables[modality].table, self.to_users, self.to_items, times)
                self.register_buffer(f"{modality}_{times}", heard, persistent=False)
        contrasts = len(tables) if config.task == "fac" and config.ssl_weight > 0 else 0
        # G and H of the fine space, then of the coarse one.
        self.anchors = nn.ModuleList(projection(d, d, generator) for _ in range(contrasts))
        self.others = nn.ModuleList(projection(d, d, generator) for _ in range(contrasts))

    def heard(self, times: int) -> Tensor:
        """Every item's channels side by side, even powers up to 2·`times` summed: (N, C·d)."""
        moving = {"id": self.items}
        for m, table in self.features.items():
            if m not in self.fixed:
                moving[m] = self.content[m](table())
        together = echoes(torch.cat([*moving.values()], 1), self.to_users, self.to_items, times)
        parts = dict(zip(moving, together.chunk(len(moving), dim=1), strict=True))
        for m in self.fixed:
            parts[m] = self.content[m](self.get_buffer(f"{m}_{times}"))
        return torch.cat([parts[c] for c in ("id", *self.features)], dim=1)

    def propagate(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """LightGCN's sum over layers, users' fusion of the items' part done on the way.

        Returns:
            What the user table gives any channel of users (M, d) and of items (N, d), what the
            items' channels give the fused users (M, d), and what they give themselves (N, C·d).
        """
        to_users, to_items, (times, before) = self.to_users, self.to_items, self.times
        items, users = self.heard(times), echoes(self.users, to_items, to_users, times)
        if self.config.n_layers == 0:  # neither side hears of the other
            return users, torch.zeros_like(self.items), torch.zeros_like(users), items
        # With an odd K the last layer adds nothing to the side it starts from.
        same = before == times
        near_items = items if same else self.heard(before)
        near_users = users if same else echoes(self.users, to_items, to_users, before)
        return users, to_items(near_users), to_users(self.fuse_users(near_items)), items

    def fuse_shared(self, fuse: nn.Module, x: Tensor) -> Tensor:
        """Fuse rows (n, d) that are the same in every channel: (n, d)."""
        weight = cast(nn.Linear, fuse).weight
        return linear(x, weight.view(len(weight), self.n_channels, -1).sum(1))

    def embed(self) -> tuple[Tensor, Tensor]:
        """Fused rows, of length 1 for a cosine; else the untrained ones at the others' length."""
        users, common, fused, items = self.propagate()
        users = self.fuse_shared(self.fuse_users, users) + fused
        items = self.fuse_items(items) + self.fuse_shared(self.fuse_items, common)
        if self.config.score == "cosine":
            return normalize(users, dim=1), normalize(items, dim=1)
        users, items = users / (self.config.n_layers + 1), items / (self.config.n_layers + 1)
        known = self.get_buffer("known")
        lengths = items.norm(dim=1, keepdim=True)
        length = (lengths * known).sum() / known.sum().clamp(min=1)
        return users, torch.where(known > 0, items, length * normalize(items, dim=1))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """InfoNCE of the batch's pairs, the self-supervised task on its items, L2."""
        config, c = self.config, self.n_channels
        users, common, fused, items = self.propagate()
        user = self.fuse_shared(self.fuse_users, users.index_select(0, batch.users))
        user = user + fused.index_select(0, batch.users)
        distinct, place = batch.positives.unique(return_inverse=True)  # type: ignore[no-untyped-call]
        common = common.index_select(0, distinct)
        item = items.index_select(0, distinct) + common.repeat(1, c)
        free = (
            self.users.index_select(0, batch.users),
            self.items.index_select(0, batch.positives),
        )
        drawn = self.get_buffer("probability")[distinct] if config.correct_popularity else None
        terms = {
            "main": info_nce(user, self.fuse_items(item), config.temperature, place, drawn),
            "l2": config.l2 * squared_norm(*free),
        }
        if config.ssl_weight > 0:
            if config.task == "fac":
                task = self.fine_and_coarse(item)
            elif config.task == "fm":
                task = self.masked_views(item, common)
            else:
                task = self.dropped_views(distinct, item, common)
            terms[config.task] = config.ssl_weight * task
        return terms

    def contrast(self, left: Tensor, right: Tensor) -> Tensor:
        """InfoNCE of an item's two sides (n, d) at τ'."""
        return info_nce(left, right, self.config.ssl_temperature)

    def fine_and_coarse(self, item: Tensor) -> Tensor:
        """FAC: the ID channel meets the first modality, then both meet the second."""
        z, *content = item.chunk(self.n_channels, dim=1)
        losses = []
        for anchor, other, x in zip(self.anchors, self.others, content, strict=True):
            z = anchor(z)
            losses.append(self.contrast(z, other(x)))
        return torch.stack(losses).sum()

    def masked_views(self, item: Tensor, common: Tensor) -> Tensor:
        """FM: the fused item without one channel and without another."""
        drawn = torch.randperm(self.n_channels, generator=self.draws)[:2].tolist()
        views = []
        for masked in drawn:
            parts = list(item.chunk(self.n_channels, dim=1))
            parts[masked] = common  # what the users bring is no feature of the item
            views.append(self.fuse_items(torch.cat(parts, dim=1)))
        return self.contrast(*views)

    def dropped_views(self, rows: Tensor, item: Tensor, common: Tensor) -> Tensor:
        """FD: the fused item under two draws of dropped features."""
        d, keep = self.config.embedding_size, 1 - self.config.feature_dropout
        features = torch.cat(list(self.mapped().values()), dim=1)
        drawn = torch.rand(2, *features.shape, generator=self.draws).to(features.device)
        dropped = torch.cat([features * (draw < keep).to(features) / keep for draw in drawn], dim=1)
        heard = echoes(dropped, self.to_users, self.to_items, self.times[0])
        views = [
            self.fuse_items(
                torch.cat([item[:, :d], view + common.repeat(1, self.n_channels - 1)], dim=1)
            )
            for view in heard.index_select(0, rows).chunk(2, dim=1)
        ]
        return self.contrast(*views)
