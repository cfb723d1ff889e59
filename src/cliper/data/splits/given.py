"""The split that the source brought."""

import numpy as np

from cliper.data.dataset import Dataset
from cliper.data.splits.parts import Parts
from cliper.errors import InputError


def given(dataset: Dataset, rng: np.random.Generator) -> Parts:
    """The source's own parts, as they are.

    Raises:
        InputError: the dataset brought none.
    """
    if dataset.given_split is None:
        raise InputError(
            "this dataset brought no split of its own",
            where=dataset.name,
            remedy="use --split random or another kind",
        )
    return Parts(np.asarray(dataset.given_split, dtype=np.int8))
