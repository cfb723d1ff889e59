"""Items that a model has never seen, as it would have them if they had been in its catalogue, cold.

A trained model is built again over the catalogue with the new items behind it: same settings, same
training interactions, so that the new items are cold ones. The trained parameters are put in; a
new item's own rows stay as the model starts a cold item's. What the model then makes of the new
items is what it makes of a cold item of its training catalogue, by its own code, neighbours in an
item graph included. Nothing is trained, and no known item changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.backbones.base import Backbone
from cliper.backbones.registry import BackboneEntry, create_backbone
from cliper.data import Interactions, ItemFields, Vocabulary
from cliper.errors import InputError
from cliper.representation.augmented import AugmentedUsers
from cliper.representation.features import ItemFeatures, Modality
from cliper.scoring import FactorScorer, HistoryScorer, Scorer
from cliper.types import IndexArray


def refuse_new_items(entry: BackboneEntry, has_features: bool) -> None:
    """Refuse a model that knows its items by who took them alone.

    Args:
        entry: of the backbone.
        has_features: it was trained with item features.

    Raises:
        InputError: a new item would be nothing to it.
    """
    if not (has_features or "fields" in entry.backbone.extra_inputs):
        raise InputError(
            f"{entry.name} knows items by who took them alone, a new one is nothing to it",
            where="items",
            remedy="train a backbone that sees content, with --features cliper",
        )


@torch.inference_mode()
def embed_items(
    entry: BackboneEntry,
    options: Mapping[str, Any],
    train: Interactions,
    state: Mapping[str, Tensor],
    new: Vocabulary,
    features: tuple[ItemFeatures, ItemFeatures] | None = None,
    fields: ItemFields | None = None,
    augmentation: AugmentedUsers | None = None,
) -> Scorer:
    """The scorer of the known items and n new ones behind them, for the columns of the new.

    Args:
        entry, options: the backbone and its own settings.
        train: what it was trained on, N items.
        state: its parameters.
        new: ids of the n new items.
        features: of the known and of the new items.
        fields: tokens of all N + n items, with the columns of the N known ones.
        augmentation: what the model was trained with.

    Returns:
        Over M users and N + n items. What it says of known items may differ from the trained model
        where they share an item graph with the new ones.
    """
    items = Vocabulary([*train.items.ids(), *new.ids()])
    log = Interactions(
        train.users, items, train.user_index, train.item_index, train.rating, train.timestamp,
        train.tie_seed,
    )  # fmt: skip
    both = None if features is None else _joined(*features, items)
    if fields is not None:
        fields = replace(fields, items_hash=items.hash)
    model = create_backbone(
        entry.name, log, both, options, fields=fields, augmentation=augmentation
    )
    if model.is_trained:
        _put(model, state, len(train.items), len(new))
    return model.eval().scorer()


def _joined(known: ItemFeatures, new: ItemFeatures, items: Vocabulary) -> ItemFeatures:
    """Both, with the scale of the known items."""
    tables: dict[Modality, Tensor] = {
        m: torch.cat([known.tables[m], new.tables[m]]) for m in known.modalities
    }
    lengths = {m: known.mean_length(m) for m in known.modalities}
    return replace(known, items_hash=items.hash, tables=tables, lengths=lengths)


def _put(model: Backbone, state: Mapping[str, Tensor], known: int, new: int) -> None:
    """Trained values into a model with more items; rows of the new items stay as they start.

    Items come last along every axis that counts them.
    """
    grown = model.state_dict()
    for name, start in grown.items():
        trained = state[name]
        grows = [at for at, size in enumerate(start.shape) if size != trained.shape[at]]
        if any(start.shape[at] != trained.shape[at] + new for at in grows):
            raise ValueError(f"{name} {tuple(trained.shape)} does not grow by {new} of {known}")
        corner = tuple(slice(size) for size in trained.shape)
        start[corner] = trained  # the state's tensors are the model's own memory


def extended(known: Scorer, grown: Scorer, trained: int) -> Scorer:
    """A scorer with the new items of another behind its own.

    Args:
        known: of N trained and m added items.
        grown: of the N trained and n new items, as `embed_items` gives it.
        trained: N.

    Raises:
        InputError: this kind of scorer cannot take new items.
    """
    if isinstance(known, FactorScorer) and isinstance(grown, FactorScorer):
        new = grown.items.detach()[trained:]
        return FactorScorer(known.users, torch.cat([known.items.detach(), new]))
    if isinstance(known, HistoryScorer) and isinstance(grown, HistoryScorer):
        added, new = known.weights.shape[1] - trained, grown.weights.shape[1] - trained
        w = sp.csr_matrix(grown.weights)
        none = sp.csr_matrix((added, new), dtype=np.float32)
        columns = sp.vstack([w[:trained, trained:], none])
        rows = sp.hstack([w[trained:, :trained], none.T, w[trained:, trained:]])
        weights = sp.vstack(
            [sp.hstack([sp.csr_matrix(known.weights), columns]), rows], format="csr"
        )
        history = sp.csr_matrix(known.history)
        history.resize(history.shape[0], weights.shape[0])
        return HistoryScorer(history, weights)
    raise InputError("this model's scorer cannot take new items", where="items")


def shortened(known: Scorer, kept: IndexArray) -> Scorer:
    """A scorer of the items `kept` alone, which are all that its histories may hold."""
    if isinstance(known, HistoryScorer):
        return HistoryScorer(known.history[:, kept], known.weights[kept][:, kept])
    return known.restrict(torch.from_numpy(kept))
