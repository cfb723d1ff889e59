"""The split by two moments that hold for everybody."""

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import (
    TEST,
    TRAIN,
    VALID,
    Parts,
    drop_users_without_training,
    timestamps,
)
from cliper.errors import InputError


def global_time(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """Train before the moment of the 80 % row, validate before that of the 90 % row, then test.

    Rows of one moment stay together, in the later part, so nothing is trained on that happened
    at or after a held-out row. Held-out rows of users unseen in training are dropped and
    counted; items unseen in training stay, they are what a shop meets.

    Raises:
        InputError: no timestamps, or so few distinct ones that no moment separates the parts.
    """
    log = dataset.interactions
    times = timestamps(dataset, "global-time")
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
    return Parts(part, drop_users_without_training(part, log.user_index, log.n_users))
