"""The split by items: some are never seen in training."""

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import TEST, TRAIN, VALID, Parts, drop_users_without_training

FOLDS = 5
"""How often 20 % fit: the folds of one seed have disjoint tests."""
OVERLAP = 0.2 / 0.7
"""Items of a test over those of its training."""


def cold_item(dataset: Dataset, rng: np.random.Generator, fold: int = 0) -> Parts:
    """A random 20 % of the items are the test's, another 10 % validation's (rounded down).

    Drawn among the items that occur (an item nobody took cannot be a right answer). Every row of
    a cold item goes to its part, none to training; the candidates of a part are its cold items.
    Held-out rows of users who keep no training row are dropped and counted. `fold`, 0 to 4, says
    which fifth of the drawn order is the test; the tenth behind it is validation's.
    """
    log = dataset.interactions
    occurring = np.flatnonzero(log.item_counts())
    drawn = np.roll(rng.permutation(occurring), -(fold * len(occurring) // FOLDS))
    n_test, n_valid = len(occurring) // 5, len(occurring) // 10
    test = np.sort(drawn[:n_test])
    valid = np.sort(drawn[n_test : n_test + n_valid])
    item_part = np.full(log.n_items, TRAIN, dtype=np.int8)
    item_part[valid] = VALID
    item_part[test] = TEST
    part = item_part[log.item_index]
    dropped = drop_users_without_training(part, log.user_index, log.n_users)
    return Parts(part, dropped, valid, test)
