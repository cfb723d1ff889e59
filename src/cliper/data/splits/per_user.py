"""Splits inside each user's own rows: at random, by time, leave one out."""

from collections.abc import Callable

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import TEST, TRAIN, VALID, Parts, timestamps
from cliper.types import IndexArray

_Counts = Callable[[IndexArray], tuple[IndexArray, IndexArray]]


def held_out_counts(count: IndexArray) -> tuple[IndexArray, IndexArray]:
    """How many of a user's rows go to validation and to test.

    Fewer than 10 rows: one each. Otherwise a fifth, rounded down, of which half, rounded down,
    to validation. Training comes first where there is too little: of two rows one is the test's,
    of one none.

    Args:
        count: rows per user, int64 (M,).

    >>> [part.tolist() for part in held_out_counts(np.array([1, 2, 3, 9, 10, 15, 100]))]
    [[0, 0, 1, 1, 1, 1, 10], [0, 1, 1, 1, 1, 2, 10]]
    """
    held = np.where(count < 10, np.clip(count - 1, 0, 2), count // 5)
    valid = held // 2
    return valid, held - valid


def leave_one_out_counts(count: IndexArray) -> tuple[IndexArray, IndexArray]:
    """One row each to validation and test; of two rows one is the test's, of one none."""
    held = np.clip(count - 1, 0, 2)
    return held // 2, held - held // 2


def random_per_user(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """A random fifth of each user's rows is held out, see `held_out_counts`."""
    log = dataset.interactions
    order = np.lexsort((rng.random(len(log)), log.user_index))
    return _latest_held_out(log.user_index, log.user_counts(), order, held_out_counts)


def user_time(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """The latest fifth of each user's rows is held out, the later half of it is the test.

    The order of rows of one moment is drawn by the seed (`Interactions.by_time`).
    """
    return _by_time(dataset, "user-time", held_out_counts)


def leave_one_out(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """Each user's last row is the test and the one before it validation; ties as in `user_time`."""
    return _by_time(dataset, "leave-one-out", leave_one_out_counts)


def _by_time(dataset: Dataset, kind: str, counts: _Counts) -> Parts:
    log = dataset.interactions
    timestamps(dataset, kind)  # or an error that names the split
    return _latest_held_out(log.user_index, log.user_counts(), log.by_time(), counts)


def _latest_held_out(
    user_index: IndexArray, count: IndexArray, order: IndexArray, counts: _Counts
) -> Parts:
    """Hold out the last rows of each user; `order` sorts rows by user, then by precedence."""
    valid, test = counts(count)
    sorted_users = user_index[order]
    ends = np.cumsum(count)
    from_end = ends[sorted_users] - 1 - np.arange(len(order))
    part = np.full(len(order), TRAIN, dtype=np.int8)
    part[order[from_end < (valid + test)[sorted_users]]] = VALID
    part[order[from_end < test[sorted_users]]] = TEST
    return Parts(part)
