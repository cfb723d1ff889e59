"""What models are made of: tables of embeddings, linear maps, tables of features."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from cliper.data import Interactions
from cliper.dense import Linear
from cliper.representation.features import FeatureTable, ItemFeatures, Modality


def embedding_table(
    rows: int, width: int, generator: torch.Generator, *, zero: Tensor | None = None
) -> nn.Parameter:
    """A table (rows, width) of ID embeddings, Xavier-uniform as the literature initialises.

    Args:
        rows, width: its shape.
        generator: source of the values.
        zero: rows that start at zero.
    """
    table = torch.empty(rows, width)
    nn.init.xavier_uniform_(table, generator=generator)
    if zero is not None:
        table[zero] = 0
    return nn.Parameter(table)


def item_table(interactions: Interactions, width: int, generator: torch.Generator) -> nn.Parameter:
    """The items' ID embeddings (N, width) in a content model: those of cold items start at zero.

    Nothing would ever train a random row of theirs, and it would only blur what the content says.
    """
    cold = cold_items(interactions)
    return embedding_table(interactions.n_items, width, generator, zero=cold)


def node_table(interactions: Interactions, width: int, generator: torch.Generator) -> nn.Parameter:
    """Users and items as one node set (M + N, width), users first; cold items start at zero."""
    m, n = interactions.n_users, interactions.n_items
    return embedding_table(m + n, width, generator, zero=cold_items(interactions) + m)


def lookup(table: Tensor, rows: Tensor) -> Tensor:
    """Rows (n,) of a table (M, w) that is trained, with a gradient for these rows alone: (n, w).

    The values of `table.index_select(0, rows)`, but a training step costs what the batch touches
    and not what the table holds, if the loss uses the table in no other way (`RowAdam`). A small
    table is trained as any other parameter.
    """
    sparse = table.device.type != "mps"  # it has no sparse tensors
    return nn.functional.embedding(rows, table, sparse=sparse)


def cold_items(interactions: Interactions) -> Tensor:
    """Indices of the items without a training interaction."""
    return torch.from_numpy(np.flatnonzero(interactions.item_counts() == 0))


def warm_mask(interactions: Interactions) -> Tensor:
    """1 for an item with a training interaction, 0 for a cold one: float (N, 1)."""
    return torch.from_numpy(interactions.item_counts() > 0).float()[:, None]


def projection(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A bias-free linear map (a bias cancels in every pairwise difference of scores)."""
    linear = Linear(inputs, outputs, bias=False)
    nn.init.xavier_uniform_(linear.weight, generator=generator)
    return linear


def affine(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear map with a bias, for where it does not cancel: Xavier-uniform, from zero bias."""
    linear = Linear(inputs, outputs)
    nn.init.xavier_uniform_(linear.weight, generator=generator)
    nn.init.zeros_(linear.bias)
    return linear


def unit_scale(features: ItemFeatures) -> ItemFeatures:
    """Each modality's table divided by its mean row norm: encoders differ in scale by tenfold."""
    scaled = {m: t / scale_of(features, m) for m, t in features.tables.items()}
    return replace(features, tables=scaled)


def scale_of(features: ItemFeatures, modality: Modality) -> Tensor:
    """What `unit_scale` divides a modality's rows by."""
    return features.mean_length(modality).clamp(min=1e-12)


def feature_tables(
    features: ItemFeatures,
    generator: torch.Generator,
    *,
    trainable: bool = False,
    by_rows: bool = False,
) -> dict[str, FeatureTable]:
    """One `FeatureTable` per modality, with the trainable MLP fusion on the text if it is on.

    Args:
        features: what they hold.
        generator: source of the MLP's initial weights.
        trainable: train the rows themselves.
        by_rows: rows are those of `unit_scale`, but a large table is not copied for it.
    """
    return {
        modality: FeatureTable(
            features.tables[modality],
            trainable=trainable,
            mlp_width=features.mlp_width if modality == "text" else None,
            generator=generator,
            length=scale_of(features, modality) if by_rows else None,
        )
        for modality in features.modalities
    }


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
