"""The mask of the test, asked for after the training: as if it had been the run's own."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from cliper.data import Dataset, Interactions, Vocabulary
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import evaluate_run, run_experiment
from cliper.experiments.run.finished import Run

MASKS = ("train", "train+valid")
USERS, ITEMS, LENGTH = 60, 40, 8


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Everyone takes the items in the same circle, from their own place on: what comes next is
    known by the last item alone, so that one item more of history is another answer.
    """
    users = np.repeat(np.arange(USERS), LENGTH)
    steps = np.tile(np.arange(LENGTH), USERS)
    log = Interactions(
        Vocabulary([f"u{u}" for u in range(USERS)]),
        Vocabulary([f"i{i}" for i in range(ITEMS)]),
        users,
        (users + steps) % ITEMS,
        timestamp=1_000_000 + 100 * steps,
    )
    return Dataset("circle", log).save(tmp_path_factory.mktemp("masks") / "circle")


def trained(dataset: Dataset, backbone: str, mask: str, out: Path) -> Run:
    tree = {
        "dataset": {"path": str(dataset.path)},
        "backbone": {"name": backbone},
        "features": {"kind": "none"},
        "split": {"kind": "leave-one-out"},
        "evaluation": {"mask": mask, "k": [1, 20]},
        "training": {"max_epochs": 6, "batch_size": 64, "learning_rate": 0.02},
    }
    return run_experiment(ExperimentConfig.build(tree), out, dataset=dataset)


@pytest.fixture(scope="module", params=["sasrec", "gru4rec", "bpr", "itemknn"])
def runs(request, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp(request.param)
    return {mask: trained(dataset, request.param, mask, folder / mask) for mask in MASKS}


def test_a_mask_asked_for_later_gives_what_a_run_with_it_gave(runs: dict[str, Run]) -> None:
    models = [(runs[mask].path / "model.safetensors").read_bytes() for mask in MASKS]
    assert models[0] == models[1]  # the training does not know the mask
    for own, other in (MASKS, MASKS[::-1]):
        _, found = evaluate_run(runs[own].path, mask=other)
        assert dict(found.metrics) == runs[other].results.test
        _, found = evaluate_run(runs[own].path, mask=own)
        assert dict(found.metrics) == runs[own].results.test


def test_models_that_go_on_from_a_history_gain_by_it(runs: dict[str, Run]) -> None:
    recall = [runs[mask].results.test["recall@1"] for mask in MASKS]
    if runs["train"].results.backbone in ("sasrec", "gru4rec"):
        assert recall[1] > recall[0] + 0.3  # else the test above shows nothing
    sequence = runs["train"].results.backbone in ("sasrec", "gru4rec")
    for own, other in (MASKS, MASKS[::-1]):
        differing = load_file(runs[own].path / f"embeddings.{other}.safetensors")
        assert list(differing) == (["users"] if sequence else [])


def test_recommendations_go_on_from_all_that_they_hide(runs: dict[str, Run]) -> None:
    asked = [f"u{u}" for u in range(0, USERS, 7)]
    one, other = (runs[mask].recommend(asked, k=5) for mask in MASKS)
    assert one == other


def test_a_run_without_the_other_mask_says_so(dataset: Dataset, tmp_path: Path) -> None:
    run = trained(dataset, "popularity", "train+valid", tmp_path / "run")
    (run.path / "embeddings.train.safetensors").unlink()  # as runs were before
    assert dict(evaluate_run(run.path)[1].metrics) == run.results.test
    assert Run.load(run.path).recommend(["u0"], k=2)
    with pytest.raises(InputError, match=r"under the mask train .*train again"):
        evaluate_run(run.path, mask="train")
