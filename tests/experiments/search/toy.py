"""The toy world as a dataset on disk, and a search over it that takes seconds."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from cliper.data import Dataset
from cliper.data.interactions import Interactions
from cliper.experiments.run.config import ExperimentConfig, with_values
from cliper.experiments.search import Choice, Range, Space, search
from cliper.testing import toy_world

SPACE: Space = {
    "training.learning_rate": Range(1e-3, 1e-1, log=True),
    "backbone.embedding_size": Choice((4, 8, 16)),
    "backbone.l2": Choice((0.0, 1e-3, 1e-2)),
}


def make_toy(folder: Path) -> Dataset:
    world = toy_world()
    log = Interactions(
        world.train.users,
        world.train.items,
        np.concatenate([world.train.user_index, world.test.user_index]),
        np.concatenate([world.train.item_index, world.test.item_index]),
    )
    return Dataset("toy", log).save(folder / "toy")


def build_for(path: Path, **training: Any):
    tree = {
        "dataset": {"path": str(path)},
        "backbone": {"name": "bpr"},
        "features": {"kind": "none"},
        "training": {"max_epochs": 8, "batch_size": 256, "checkpoint_seconds": 0, **training},
    }

    def build(params: dict[str, Any]) -> ExperimentConfig:
        return ExperimentConfig.build(with_values(tree, params))

    return build


if __name__ == "__main__":  # killed by a test
    path, out = Path(sys.argv[1]), Path(sys.argv[2])
    dataset = Dataset.load(path)
    search(dataset, build_for(path), SPACE, out, trials=int(sys.argv[3]), warmup=2)
