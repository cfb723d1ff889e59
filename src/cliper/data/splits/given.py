"""The split that the source brought."""

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import Parts, drop_users_without_training
from cliper.errors import InputError


def given(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """The source's own parts; held-out rows of users without a training row are dropped, counted.

    Raises:
        InputError: the dataset brought none.
    """
    if dataset.given_split is None:
        raise InputError(
            "this dataset brought no split of its own",
            where=dataset.name,
            remedy="use --split random or another kind",
        )
    log = dataset.interactions
    part = np.array(dataset.given_split, dtype=np.int8)  # a copy: it is written to
    return Parts(part, drop_users_without_training(part, log.user_index, log.n_users))
