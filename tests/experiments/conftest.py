"""What several rooms of experiments train on."""

import numpy as np
import pytest

from cliper.data import Dataset, Interactions
from cliper.testing import toy_world


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The toy world's pairs, saved."""
    world = toy_world()
    log = Interactions(
        world.train.users,
        world.train.items,
        np.concatenate([world.train.user_index, world.test.user_index]),
        np.concatenate([world.train.item_index, world.test.item_index]),
    )
    return Dataset("toy", log).save(tmp_path_factory.mktemp("data") / "toy")
