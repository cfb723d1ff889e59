"""What every backbone is: a module that embeds users and items and knows its own loss."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.dense import Linear
from cliper.errors import InputError
from cliper.representation.features import FeatureTable, ItemFeatures
from cliper.scoring import FactorScorer, FoldIn, Scorer, default_fold_in
from cliper.types import IndexArray

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
        is_trained: it has parameters and a loss (false for popularity).
    """

    uses_features: ClassVar[bool] = False
    features_optional: ClassVar[bool] = False
    extra_inputs: ClassVar[tuple[ExtraInput, ...]] = ()
    by_sequence: ClassVar[bool] = False
    is_trained: ClassVar[bool] = True

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

    def on_epoch_start(self, generator: torch.Generator) -> None:
        """Resample what the model resamples once an epoch; nothing by default."""

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


def embedding_table(
    rows: int, width: int, generator: torch.Generator, *, zero: Tensor | None = None
) -> nn.Parameter:
    """A table (rows, width) of ID embeddings, Xavier-uniform as the literature initialises.

    Args:
        rows, width: its shape.
        generator: source of the values.
        zero: rows that start at zero. A content model gives its cold items no random free part:
            nothing would ever train it, and it would only blur what the content says.
    """
    table = torch.empty(rows, width)
    nn.init.xavier_uniform_(table, generator=generator)
    if zero is not None:
        table[zero] = 0
    return nn.Parameter(table)


def cold_items(interactions: Interactions) -> Tensor:
    """Indices of the items without a training interaction."""
    return torch.from_numpy(np.flatnonzero(interactions.item_counts() == 0))


def projection(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A bias-free linear map (a bias cancels in every pairwise difference of scores)."""
    linear = Linear(inputs, outputs, bias=False)
    nn.init.xavier_uniform_(linear.weight, generator=generator)
    return linear


def projected_difference(
    table: FeatureTable, linear: nn.Linear, left: Tensor, right: Tensor
) -> Tensor:
    """W f_left - W f_right for item rows (n,) each, by the cheaper of two ways: (n, d).

    With fewer items than rows every item is projected once; else the differences are, half as
    many rows as there are items in them.
    """
    if len(left) >= len(table.table):
        every: Tensor = linear(table())
        return every.index_select(0, left) - every.index_select(0, right)
    difference: Tensor = linear(table.difference(left, right))
    return difference


def unit_scale(features: ItemFeatures) -> ItemFeatures:
    """Each modality's table divided by its mean row norm: encoders differ in scale by tenfold."""
    scaled = {m: t / t.norm(dim=1).mean().clamp(min=1e-12) for m, t in features.tables.items()}
    return replace(features, tables=scaled)


def feature_tables(
    features: ItemFeatures, generator: torch.Generator, *, trainable: bool = False
) -> dict[str, FeatureTable]:
    """One `FeatureTable` per modality, with the trainable MLP fusion on the text if it is on."""
    return {
        modality: FeatureTable(
            features.tables[modality],
            trainable=trainable,
            mlp_width=features.mlp_width if modality == "text" else None,
            generator=generator,
        )
        for modality in features.modalities
    }
