"""What every backbone is: a module that embeds users and items and knows its own loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.backbones.layers import (
    cold_items,
    embedding_table,
    feature_tables,
    projected_difference,
    projection,
    unit_scale,
)
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures
from cliper.scoring import FactorScorer, FoldIn, Scorer, default_fold_in
from cliper.types import IndexArray

# The layers are in `cliper.backbones.layers`; older packages import them from here.
__all__ = [
    "Backbone",
    "BackboneConfig",
    "Batch",
    "cold_items",
    "embedding_table",
    "feature_tables",
    "projected_difference",
    "projection",
    "unit_scale",
]

ExtraInput = Literal["fields", "timestamps", "augmentation"]


class BackboneConfig(StrictConfig):
    """Settings that every trained backbone has."""

    embedding_size: int = Field(64, ge=1, le=8192, description="width d of users and items")


@dataclass(frozen=True)
class Batch:
    """Training triples: user indices, an item of theirs, an item that is not theirs; each (B,)."""

    users: Tensor
    positives: Tensor
    negatives: Tensor

    def __len__(self) -> int:
        return len(self.users)


class Backbone(nn.Module):
    """Base of all backbones.

    A backbone sees the training interactions and the items' features, and offers `embed` and
    `loss`. It knows nothing of files, devices, optimisers, negative sampling or metrics.

    Args:
        config: the backbone's own settings.
        interactions: the training interactions (M users, N items).
        features: what is known of the items; None for a feature-free backbone.
        generator: source of the initial weights.

    Class attributes:
        uses_features: it makes use of `features`.
        features_optional: it also works without them.
        extra_inputs: what else it needs: `fields`, the items' field tokens, then a keyword of its
            constructor (`cliper.data.ItemFields`); `timestamps`, of the interactions;
            `augmentation`, a keyword too, None where the dataset was not augmented
            (`cliper.representation.AugmentedUsers`).
        by_sequence: its loss wants all of a user's pairs in one batch.
        costs_by_step: its loss goes through the whole graph, or all users, and else costs in
            proportion to the batch: fewer, larger batches make a cheaper epoch
            (`training.batch_size: auto`). Not where rows of a batch are contrasted with each
            other: that costs their square.
        adds_up: its loss is a mean over a batch's rows, each by itself, and of what no batch
            changes: that of a batch is the sum of its parts', each times its share of the rows, so
            that several processes can train it (`train --engine ray`). Not where rows of a batch
            are contrasted with each other.
        is_trained: it has parameters and a loss (false for popularity).
        items_interact: what an item is may depend on which other items there are; False lets many
            new items be embedded at once (`cliper.backbones.new_items`).

    Attributes:
        draws: source of what `loss` draws, such as dropout; reseeded at the start of each epoch.
    """

    uses_features: ClassVar[bool] = False
    features_optional: ClassVar[bool] = False
    extra_inputs: ClassVar[tuple[ExtraInput, ...]] = ()
    by_sequence: ClassVar[bool] = False
    costs_by_step: ClassVar[bool] = False
    adds_up: ClassVar[bool] = False
    is_trained: ClassVar[bool] = True
    items_interact: ClassVar[bool] = True

    def __init__(
        self,
        config: StrictConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if self.uses_features:
            if features is not None and features.modalities:
                features.check(interactions.items)
            elif not self.features_optional:
                raise InputError(
                    f"{type(self).__name__} needs item features",
                    remedy="train with --features cliper or vanilla",
                )
        if "timestamps" in self.extra_inputs and interactions.timestamp is None:
            raise InputError(
                f"{type(self).__name__} needs to know when each interaction was",
                where="dataset",
                remedy="prepare the interactions with a timestamp column",
            )
        self.n_users, self.n_items = interactions.n_users, interactions.n_items
        self.draws = torch.Generator().manual_seed(0)

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Reseed `draws`; a model that resamples something once an epoch does it here too."""
        self.draws.manual_seed(epoch_seed(generator))

    def embed(self) -> tuple[Tensor, Tensor]:
        """Final representations: users (M, d) and items (N, d); a score is their inner product."""
        raise NotImplementedError

    def scorer(self, history: Interactions | None = None) -> Scorer:
        """What ranks: inner products of `embed`, unless a model scores otherwise.

        Args:
            history: all that users have done by now, for models that go on from it; the training
                interactions when None.
        """
        return FactorScorer(*self.embed())

    @classmethod
    def fold_in(
        cls,
        config: StrictConfig,
        scorer: Scorer,
        counts: IndexArray,
        state: Mapping[str, Tensor],
    ) -> FoldIn | None:
        """How a history becomes a user once training is over; None where the model cannot.

        Args:
            config: the backbone's own settings.
            scorer: what ranks for the trained users.
            counts: training interactions per item (N,).
            state: the parameters.
        """
        return default_fold_in(scorer)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar terms of the loss; the trainer minimises their sum."""
        raise NotImplementedError


def epoch_seed(generator: torch.Generator) -> int:
    """A seed for one epoch's own draws."""
    return int(torch.randint(2**62, (1,), generator=generator).item())
