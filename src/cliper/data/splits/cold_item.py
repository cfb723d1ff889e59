"""The split by items: some are never seen in training."""

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import TEST, TRAIN, VALID, Parts, drop_users_without_training


def cold_item(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """A random 20 % of the items are the test's, another 10 % validation's (rounded down).

    Drawn among the items that occur (an item nobody took cannot be a right answer). Every row of
    a cold item goes to its part, none to training; the candidates of a part are its cold items.
    Held-out rows of users who keep no training row are dropped and counted.
    """
    log = dataset.interactions
    occurring = np.flatnonzero(log.item_counts())
    drawn = rng.permutation(occurring)
    n_test, n_valid = len(occurring) // 5, len(occurring) // 10
    test = np.sort(drawn[:n_test])
    valid = np.sort(drawn[n_test : n_test + n_valid])
    item_part = np.full(log.n_items, TRAIN, dtype=np.int8)
    item_part[valid] = VALID
    item_part[test] = TEST
    part = item_part[log.item_index]
    dropped = drop_users_without_training(part, log.user_index, log.n_users)
    return Parts(part, dropped, valid, test)
