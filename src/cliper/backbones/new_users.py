"""What ranks when some users have a history and no training: they are folded in."""

import numpy as np

from cliper.backbones.base import Backbone
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.errors import InputError
from cliper.scoring import FactorScorer, FilterScorer, HistoryScorer, Scorer


def final_scorer(
    backbone: Backbone,
    config: StrictConfig,
    train: Interactions,
    history: Interactions | None = None,
    given: Interactions | None = None,
) -> Scorer:
    """The backbone's scorer, with users that it has not seen in their places.

    Args:
        backbone: trained, in evaluation mode.
        config: its own settings.
        train: what it was trained on.
        history: what has happened by now, see `Backbone.scorer`.
        given: histories of users without a training row; None where there are none.

    Raises:
        InputError: the model cannot fold a history in.
    """
    if given is None:
        return backbone.scorer(history)
    if backbone.by_sequence:  # it reads histories, whoever they are of
        return backbone.scorer((train if history is None else history).joined(given))
    scorer = backbone.scorer(history)
    if isinstance(scorer, HistoryScorer | FilterScorer):
        return scorer.of(scorer.history + given.matrix())
    if isinstance(scorer, FactorScorer):  # closed forms, by NumPy in part: wherever it was trained
        scorer = FactorScorer(scorer.users.cpu(), scorer.items.cpu())
    state = {name: tensor.cpu() for name, tensor in backbone.state_dict().items()}
    fold_in = backbone.fold_in(config, scorer, train.item_counts(), state)
    if fold_in is None or not isinstance(scorer, FactorScorer):
        raise InputError(
            f"{type(backbone).__name__} cannot fold in a user that it was not trained on",
            where="split.kind",
            remedy="use another split than new-user, or another backbone",
        )
    new, order = np.unique(given.user_index), np.argsort(given.user_index, kind="stable")
    cuts = np.cumsum(given.user_counts()[new])[:-1]
    folded = fold_in.scorer(np.split(given.item_index[order], cuts))
    assert isinstance(folded, FactorScorer)
    users = scorer.users.detach().clone()
    users[new] = folded.users
    return scorer.of(users)
