"""LLMRec: a graph augmented by a language model, made robust against what it made up.

Wei et al., "LLMRec: Large Language Models with Graph Augmentation for Recommendation", WSDM 2024
(arXiv 2311.00423). `cliper augment` asks the model (its Section 3.1-3.2); here is what is trained:
- collaborative signals X: LightGCN's layer mean of the free rows;
- side information: C_m = W_m f^m of the items (their generated attributes are among the views of
  the text), C_p = W_p f^p of the users' profiles; Y_m the layer mean of C_m along the same graph,
  so that users carry what they took and items what those who took them took (Section 3.3.1);
- h = X + ω₁ Σ_m Y_m / ‖Y_m‖ + ω₂ Y_p / ‖Y_p‖, a score is the inner product of two h;
- BPR over the batch's triples E and ω₃·B augmented ones E_A, (user, liked, disliked) as the
  language model guessed (Section 3.3.2);
- noise pruning: of the sorted losses the ζ largest share is left out (Section 3.4.1);
- masked features: a share of the nodes has the mean feature in place of its own while it trains,
  and a linear decoder restores its own from Y_m: mean (1 - cos)^γ over the masked nodes
  (Section 3.4.2).

On a dataset that was not augmented it is the paper's base with side information: no E_A, no
profiles, all the rest.

Deviations: pruning looks at E_A alone unless `prune_scope` is `all`, as published: what was
observed is no guess, and its largest losses are what there is to learn. The paper injects side
information propagated by one layer and treats generated attributes as a feature of its own; here
they are views of the text, and W has no bias or dropout. The decoder restores from what neighbours
say, since nothing of a masked node is left in itself. One mask covers all modalities of an item.
L2 falls on the batch's free rows. Modalities are divided by their mean row norm. The free row of an
item without training interactions starts at zero.
"""

from typing import Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, logsigmoid, normalize

from cliper.backbones import BackboneConfig, Batch, ContentBackbone, register_backbone
from cliper.backbones.layers import node_table, projection, unit_scale
from cliper.data import Interactions
from cliper.graphs import SparseGraph, layer_mean, normalized_adjacency
from cliper.losses import dot, squared_norm
from cliper.representation.augmented import AugmentedUsers
from cliper.representation.features import FeatureTable, ItemFeatures

PROFILE = "profile"
SHORTEST = 1e-3  # a row of norm below it (of an item of which nothing is known) is not scaled up


class LlmRecConfig(BackboneConfig):
    """Settings of LLMRec; defaults from its authors' configuration unless the page says other."""

    n_layers: int = Field(2, ge=0, le=16, description="layers of the collaborative signals")
    n_content_layers: int = Field(2, ge=1, le=16, description="layers of the side information")
    content_weight: float = Field(0.5, ge=0, le=100, description="ω₁, of the items' modalities")
    profile_weight: float = Field(0.5, ge=0, le=100, description="ω₂, of the users' profiles")
    augmented_share: float = Field(0.1, ge=0, le=10, description="ω₃, augmented triples a row")
    prune_rate: float = Field(0.71, ge=0, lt=1, description="ζ, largest losses left out")
    prune_scope: Literal["augmented", "all"] = Field("augmented", description="which are sorted")
    mask_rate: float = Field(0.1, ge=0, lt=1, description="share of nodes with masked features")
    restore_weight: float = Field(0.1, ge=0, le=100, description="of the restoration loss")
    restore_power: float = Field(2.0, ge=1, le=10, description="γ of the restoration loss")
    l2: float = Field(1e-3, ge=0, le=10, description="penalty on the batch's free rows")


@register_backbone("llmrec", LlmRecConfig, "side information of a language model, made robust")
class LlmRec(ContentBackbone):
    """Free rows and projected features on one graph; users first."""

    costs_by_step = True
    items_interact = False

    extra_inputs = ("augmentation",)

    def __init__(
        self,
        config: LlmRecConfig,
        interactions: Interactions,
        features: ItemFeatures,
        generator: torch.Generator,
        augmentation: AugmentedUsers | None = None,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.config, d = config, config.embedding_size
        self.nodes = node_table(interactions, d, generator)
        self.graph = SparseGraph(normalized_adjacency(interactions.matrix()), symmetric=True)
        tables = self.add_features(unit_scale(features), generator)
        triples = torch.empty((0, 3), dtype=torch.int64)
        if augmentation is not None:
            augmentation.check(interactions)
            triples = augmentation.triples
            if augmentation.profiles is not None:
                rows = augmentation.profiles
                scale = rows.norm(dim=1)[rows.any(dim=1)].mean().clamp(min=1e-12)
                tables[PROFILE] = FeatureTable(rows / scale)
                self.features[PROFILE] = tables[PROFILE]
        self.register_buffer("triples", triples, persistent=False)
        self.triples: Tensor
        self.add_maps(d, generator)
        weights = [config.profile_weight if m == PROFILE else config.content_weight for m in tables]
        self.register_buffer("weights", torch.tensor(weights), persistent=False)
        self.weights: Tensor
        restored = tables if config.mask_rate > 0 and config.restore_weight > 0 else {}
        self.decoder = nn.ModuleDict(
            {m: projection(d, t.table.shape[1], generator) for m, t in restored.items()}
        )

    def masks(self) -> tuple[Tensor, Tensor]:
        """Which users (M,) and items (N,) hide their features in this step."""
        drawn = torch.rand(self.n_users + self.n_items, generator=self.draws)
        hidden = (drawn < self.config.mask_rate).to(self.nodes.device)
        return hidden[: self.n_users], hidden[self.n_users :]

    def side(self, masks: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Y of every node and table, side by side: (M + N, tables·d)."""
        blocks = []
        for m, table in self.features.items():
            rows = table()
            projected: Tensor = self.content[m](rows)
            if masks is not None:
                hidden = masks[0] if m == PROFILE else masks[1]
                projected = torch.where(
                    hidden[:, None], self.content[m](rows.mean(dim=0)), projected
                )
            others = self.n_items if m == PROFILE else self.n_users
            empty = projected.new_zeros(others, projected.shape[1])
            blocks.append(torch.cat([projected, empty] if m == PROFILE else [empty, projected]))
        return layer_mean(self.graph, torch.cat(blocks, dim=1), self.config.n_content_layers)

    def joined(self, free: Tensor, side: Tensor) -> Tensor:
        """h (n, d) of n nodes from their X (n, d) and Y (n, tables·d)."""
        unit = normalize(side.view(len(side), len(self.features), -1), dim=2, eps=SHORTEST)
        return free + (unit * self.weights[:, None]).sum(dim=1)

    def embed(self) -> tuple[Tensor, Tensor]:
        """With no feature masked."""
        nodes = self.joined(layer_mean(self.graph, self.nodes, self.config.n_layers), self.side())
        return nodes[: self.n_users], nodes[self.n_users :]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """BPR over observed and augmented triples, restoration of masked features, L2."""
        guessed = self.draw(len(batch))
        users = torch.cat([batch.users, guessed[:, 0]])
        liked = torch.cat([batch.positives, guessed[:, 1]]) + self.n_users
        disliked = torch.cat([batch.negatives, guessed[:, 2]]) + self.n_users
        rows = torch.cat([users, liked, disliked])
        # A node's h is its own: once on each node of the batch is enough.
        nodes, at = torch.unique(rows, return_inverse=True)
        masks = self.masks() if self.config.mask_rate > 0 else None
        free = layer_mean(self.graph, self.nodes, self.config.n_layers, nodes)
        side = self.side(masks)
        final = self.joined(free, side.index_select(0, nodes))
        user, positive, negative = final.index_select(0, at).chunk(3)
        losses = -logsigmoid(dot(user, positive) - dot(user, negative))
        own = torch.cat([batch.users, batch.positives + self.n_users,
                         batch.negatives + self.n_users])  # fmt: skip
        terms = {
            **self.pruned(losses, len(batch)),
            "l2": self.config.l2 * squared_norm(*self.nodes.index_select(0, own).chunk(3)),
        }
        if masks is not None and len(self.decoder):
            terms["restore"] = self.config.restore_weight * self.restoration(side, masks)
        return terms

    def draw(self, size: int) -> Tensor:
        """⌊ω₃·B⌋ augmented triples, drawn with replacement: (n, 3)."""
        n = int(self.config.augmented_share * size) if len(self.triples) else 0
        at = torch.randint(max(1, len(self.triples)), (n,), generator=self.draws)
        return self.triples.index_select(0, at.to(self.triples.device))

    def pruned(self, losses: Tensor, observed: int) -> dict[str, Tensor]:
        """The terms of BPR from the losses (B + n,) of B observed and n augmented triples."""
        if self.config.prune_scope == "all":
            return {"bpr": smallest(losses, self.config.prune_rate).mean()}
        terms = {"bpr": losses[:observed].mean()}
        if len(losses) > observed:
            kept = smallest(losses[observed:], self.config.prune_rate)
            terms["augmented"] = kept.sum() / observed
        return terms

    def restoration(self, side: Tensor, masks: tuple[Tensor, Tensor]) -> Tensor:
        """Σ over tables of mean (1 - cos(decoded Y, own feature))^γ over the masked nodes."""
        total = side.new_zeros(())
        for part, (m, table) in zip(
            side.chunk(len(self.features), dim=1), self.features.items(), strict=True
        ):
            hidden = torch.nonzero(masks[0] if m == PROFILE else masks[1]).squeeze(1)
            if not len(hidden):
                continue
            at = hidden if m == PROFILE else hidden + self.n_users
            decoded = self.decoder[m](part.index_select(0, at))
            own = cast(FeatureTable, table).table.index_select(0, hidden)
            distance = (1 - cosine_similarity(decoded, own, dim=1)).clamp(min=0)
            total = total + distance.pow(self.config.restore_power).mean()
        return total


def smallest(losses: Tensor, prune_rate: float) -> Tensor:
    """The ⌈(1-ζ)·n⌉ smallest of n losses; a gradient for these alone.

    >>> smallest(torch.tensor([3.0, 1.0, 2.0]), 0.5).tolist()
    [1.0, 2.0]
    """
    n = len(losses) - int(prune_rate * len(losses))
    return losses.topk(n, largest=False).values
