"""Less to learn from, the same to be measured on."""

from pathlib import Path

import numpy as np

from cliper.data import Dataset, Interactions
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import evaluate_run, run_experiment
from cliper.experiments.run.split import experiment_split
from cliper.testing import toy_world


def test_a_thinned_run_trains_on_less_and_masks_the_same(tmp_path: Path) -> None:
    world = toy_world()
    log = Interactions(
        world.train.users,
        world.train.items,
        np.concatenate([world.train.user_index, world.test.user_index]),
        np.concatenate([world.train.item_index, world.test.item_index]),
    )
    dataset = Dataset("toy", log).save(tmp_path / "toy")
    tree = {
        "dataset": {"path": str(dataset.path)},
        "backbone": {"name": "bpr"},
        "features": {"kind": "none"},
        "split": {"kind": "random", "train_share": 0.3},
        "training": {"max_epochs": 2},
    }
    config = ExperimentConfig.build(tree)
    run = run_experiment(config, tmp_path / "run", dataset=dataset)
    split = experiment_split(dataset, config)
    assert split.withheld is not None
    assert run.results.dataset.train == len(split.train)
    assert run.results.dataset.dropped["withheld by split.train_share"] == len(split.withheld)
    assert run.results.config["split"]["train_share"] == 0.3
    known = {
        (int(u), int(i))
        for part in (split.train, split.withheld, split.valid)
        for u, i in zip(part.user_index, part.item_index, strict=True)
    }
    for answer in run.recommend([f"u{u}" for u in range(10)], k=15):
        pair = (int(answer.query[1:]), int(answer.item_id[1:]))
        assert pair not in known
    assert dict(evaluate_run(run.path)[1].metrics) == run.results.test
