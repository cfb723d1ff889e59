"""The kinds of split: pure functions of a dataset and a generator.

Shares of n are rounded down. What a user keeps for training comes first where there is too little.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cliper.data.dataset import Dataset
from cliper.errors import InputError
from cliper.types import IndexArray

TRAIN, VALID, TEST, GIVEN, DROPPED = 0, 1, 2, 3, -1
PartArray = npt.NDArray[np.int8]

FOLDS = 5
"""How often 20 % fit: the folds of one seed have disjoint tests."""
OVERLAP = 0.2 / 0.7
"""Items of a cold-item test over those of its training."""


class Parts(NamedTuple):
    """The part of each row, int8 (n,), and what is ranked where that is not every item."""

    part: PartArray
    valid_candidates: IndexArray | None = None
    test_candidates: IndexArray | None = None


def given(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """The source's own parts.

    Raises:
        InputError: the dataset brought none.
    """
    if dataset.given_split is None:
        raise InputError(
            "this dataset brought no split of its own",
            where=dataset.name,
            remedy="use --split random or another kind",
        )
    return Parts(np.array(dataset.given_split, dtype=np.int8))  # a copy: it is written to


def random_per_user(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """A random fifth of each user's rows is held out, see `held_out_counts`."""
    order = _by_lot(dataset, rng)
    return _last_of_each_user(dataset, order, *held_out_counts(dataset.interactions.user_counts()))


def user_time(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """The latest fifth of each user's rows is held out, the later half of it is the test.

    The order of rows of one moment is drawn by the seed (`Interactions.by_time`).
    """
    _times(dataset, "user-time")
    order = dataset.interactions.by_time()
    return _last_of_each_user(dataset, order, *held_out_counts(dataset.interactions.user_counts()))


def leave_one_out(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """Each user's last row is the test and the one before it validation; ties as in `user_time`.

    Of two rows one is the test's, of one none.
    """
    _times(dataset, "leave-one-out")
    held = np.clip(dataset.interactions.user_counts() - 1, 0, 2)
    order = dataset.interactions.by_time()
    return _last_of_each_user(dataset, order, held // 2, held - held // 2)


def global_time(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """Train before the moment of the 80 % row, validate before that of the 90 % row, then test.

    Rows of one moment stay together, in the later part, so nothing is trained on that happened
    at or after a held-out row. Items unseen in training stay, they are what a shop meets.

    Raises:
        InputError: no timestamps, or so few distinct ones that no moment separates the parts.
    """
    times = _times(dataset, "global-time")
    n = len(times)
    part = np.full(n, TRAIN, dtype=np.int8)
    if n:
        ordered = np.sort(times)
        valid_from, test_from = ordered[n * 8 // 10], ordered[n * 9 // 10]
        if not ordered[0] < valid_from < test_from:
            raise InputError(
                "the timestamps are too coarse to separate train, validation and test",
                where=dataset.name,
                remedy="use --split user-time or random",
            )
        part[times >= valid_from] = VALID
        part[times >= test_from] = TEST
    return Parts(part)


def cold_item(dataset: Dataset, rng: np.random.Generator, fold: int = 0) -> Parts:
    """A random 20 % of the items are the test's, another 10 % validation's.

    Drawn among the items that occur (an item nobody took cannot be a right answer). Every row of
    a cold item goes to its part, none to training; the candidates of a part are its cold items.
    `fold`, 0 to 4, says which fifth of the drawn order is the test; the tenth behind it is
    validation's.
    """
    log = dataset.interactions
    occurring = np.flatnonzero(log.item_counts())
    drawn = np.roll(rng.permutation(occurring), -(fold * len(occurring) // FOLDS))
    part_of, valid, test = _drawn_parts(drawn, log.n_items)
    return Parts(part_of[log.item_index], np.sort(valid), np.sort(test))


def new_user(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """A random 20 % of the users are the test's, another 10 % validation's.

    Drawn among the users that occur. None of their rows is trained on. Half of each one's rows,
    rounded up, are the history that is given when the user is met: the earlier half where there
    are timestamps (ties by the seed, `Interactions.by_time`), else a random one. The other half is
    ranked. Of a user with one row nothing is.
    """
    log = dataset.interactions
    counts = log.user_counts()
    part_of, _, _ = _drawn_parts(rng.permutation(np.flatnonzero(counts)), log.n_users)
    part = part_of[log.user_index]
    order = _by_lot(dataset, rng) if log.timestamp is None else log.by_time()
    starts = np.cumsum(counts) - counts
    place = np.empty(len(order), dtype=np.int64)  # of each row among its user's
    place[order] = np.arange(len(order)) - starts[log.user_index[order]]
    part[(part != TRAIN) & (place < (counts[log.user_index] + 1) // 2)] = GIVEN
    return Parts(part)


def held_out_counts(count: IndexArray) -> tuple[IndexArray, IndexArray]:
    """How many of a user's rows go to validation and to test.

    Fewer than 10 rows: one each. Otherwise a fifth, of which half to validation. Of two rows one
    is the test's, of one none.

    Args:
        count: rows per user, int64 (M,).

    >>> [part.tolist() for part in held_out_counts(np.array([1, 2, 3, 9, 10, 15, 100]))]
    [[0, 0, 1, 1, 1, 1, 10], [0, 1, 1, 1, 1, 2, 10]]
    """
    held = np.where(count < 10, np.clip(count - 1, 0, 2), count // 5)
    return held // 2, held - held // 2


def drop_users_without_training(dataset: Dataset, part: PartArray) -> dict[str, int]:
    """Mark the held-out rows of users without a training row as dropped, in place.

    Nothing is known of such a user when training ends, so ranking for them measures nothing.
    Returns reason → number of rows.
    """
    user_index = dataset.interactions.user_index
    trained = np.zeros(dataset.interactions.n_users, dtype=np.bool_)
    trained[user_index[part == TRAIN]] = True
    dropped: dict[str, int] = {}
    for name, code in (("valid", VALID), ("test", TEST)):
        lost = (part == code) & ~trained[user_index]
        if lost.any():
            dropped[f"{name} row of a user without a training row"] = int(lost.sum())
            part[lost] = DROPPED
    return dropped


def _times(dataset: Dataset, kind: str) -> IndexArray:
    times = dataset.interactions.timestamp
    if times is None:
        raise InputError(
            f"the {kind} split needs timestamps and this dataset has none",
            where=dataset.name,
            remedy="prepare it with a 'timestamp' column, or use --split random",
        )
    return times


def _by_lot(dataset: Dataset, rng: np.random.Generator) -> IndexArray:
    """Rows (n,) by user, at random within each."""
    log = dataset.interactions
    order: IndexArray = np.lexsort((rng.random(len(log)), log.user_index))
    return order


def _last_of_each_user(
    dataset: Dataset, order: IndexArray, valid: IndexArray, test: IndexArray
) -> Parts:
    """Hold out so many last rows of each user (M,); `order` sorts rows by user, then precedence."""
    log = dataset.interactions
    users = log.user_index[order]
    from_end = np.cumsum(log.user_counts())[users] - 1 - np.arange(len(order))
    part = np.full(len(order), TRAIN, dtype=np.int8)
    part[order[from_end < (valid + test)[users]]] = VALID
    part[order[from_end < test[users]]] = TEST
    return Parts(part)


def _drawn_parts(drawn: IndexArray, n: int) -> tuple[PartArray, IndexArray, IndexArray]:
    """The part of each of n users or items: the first fifth of the drawn ones is the test's.

    Also those of validation and of the test.
    """
    n_test, n_valid = len(drawn) // 5, len(drawn) // 10
    test, valid = drawn[:n_test], drawn[n_test : n_test + n_valid]
    part = np.full(n, TRAIN, dtype=np.int8)
    part[valid], part[test] = VALID, TEST
    return part, valid, test
