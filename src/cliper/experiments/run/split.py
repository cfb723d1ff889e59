"""The split that an experiment's settings ask for."""

import numpy as np

from cliper.data import Dataset, Interactions, Split
from cliper.experiments.run.config import ExperimentConfig


def experiment_split(dataset: Dataset, config: ExperimentConfig) -> Split:
    """Train, validation and test, with the share of the training rows that `train_share` keeps."""
    return config.representation.split.of(dataset)


def known_history(split: Split, mask: str) -> Interactions:
    """What a model may go on from when the test begins: what is masked there has happened.

    Args:
        split: of the run.
        mask: `train` or `train+valid`.
    """
    return split.train if mask == "train" else split.train.joined(split.valid)


def drawn_users(interactions: Interactions, n: int, seed: int) -> Interactions:
    """The rows of n users, drawn from those who have any; all rows if there are no more users."""
    users = np.flatnonzero(interactions.user_counts())
    if len(users) <= n:
        return interactions
    chosen = np.zeros(interactions.n_users, dtype=np.bool_)
    chosen[np.random.default_rng([seed, 2]).choice(users, n, replace=False)] = True
    return interactions.select(chosen[interactions.user_index])
