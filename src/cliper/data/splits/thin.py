"""A split with less to learn from: a share of each user's training rows, the rest as it was."""

from dataclasses import replace

import numpy as np

from cliper.data.split import Split
from cliper.errors import InputError

_STREAM = 0x7415  # so that the draw shares nothing with the split's own, of the same seed


def thin(split: Split, share: float) -> Split:
    """Keep a random share of each user's training rows, rounded up: at least one.

    Nobody leaves the split, so that models trained on different shares are measured on the same
    users and rows. A smaller share keeps a subset of what a larger one keeps (same split and
    seed). What is taken out is still known to have happened: it is in `withheld`, and is masked
    like training rows when items are ranked.

    Args:
        split: any split that is not thinned yet.
        share: in (0, 1]; 1 changes nothing.

    Raises:
        InputError: a share out of range.
    """
    if not 0 < share <= 1:
        raise InputError(f"share {share}", where="split.train_share", remedy="above 0, at most 1")
    if share == 1:
        return split
    train = split.train
    lottery = np.random.default_rng([_STREAM, split.seed]).random(len(train))
    order = np.lexsort((lottery, train.user_index))
    counts = train.user_counts()
    place = np.empty(len(train), dtype=np.int64)  # of a row among its user's, as drawn
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    place[order] = np.arange(len(train)) - np.repeat(starts, counts)
    # 1e-9: 0.1 of 30 rows are 3, whatever 0.1 is in binary
    quota = np.ceil(share * counts - 1e-9).astype(np.int64)
    kept = place < quota[train.user_index]
    return replace(split, train=train.select(kept), withheld=train.select(~kept))
