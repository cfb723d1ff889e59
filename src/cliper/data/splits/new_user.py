"""The split by users: some are never seen in training, but for a history when they are met."""

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import GIVEN, TEST, TRAIN, VALID, Parts
from cliper.types import IndexArray


def new_user(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """A random 20 % of the users are the test's, another 10 % validation's (rounded down).

    Drawn among the users that occur. None of their rows is trained on. Half of each one's rows,
    rounded up, are the history that is given when the user is met: the earlier half where there
    are timestamps (ties by the seed, `Interactions.by_time`), else a random one. The other half is
    ranked. Of a user with one row nothing is.
    """
    log = dataset.interactions
    counts = log.user_counts()
    drawn = rng.permutation(np.flatnonzero(counts))
    n_test, n_valid = len(drawn) // 5, len(drawn) // 10
    user_part = np.full(log.n_users, TRAIN, dtype=np.int8)
    user_part[drawn[:n_test]] = TEST
    user_part[drawn[n_test : n_test + n_valid]] = VALID
    part = user_part[log.user_index]
    first = _place(log.user_index, counts, _order(dataset, rng)) < (counts[log.user_index] + 1) // 2
    part[(part != TRAIN) & first] = GIVEN
    return Parts(part)


def _order(dataset: Dataset, rng: np.random.Generator) -> IndexArray:
    """Rows by user, then by time or lot."""
    log = dataset.interactions
    if log.timestamp is not None:
        return log.by_time()
    order: IndexArray = np.lexsort((rng.random(len(log)), log.user_index))
    return order


def _place(user_index: IndexArray, counts: IndexArray, order: IndexArray) -> IndexArray:
    """Place of each row among its user's, from 0, in an order that is sorted by user."""
    starts = np.cumsum(counts) - counts
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order)) - starts[user_index[order]]
    return place
