"""Sequential models through whole experiments, on the splits that are made for them."""

from pathlib import Path

import pytest
import torch

from cliper.backbones import create_backbone
from cliper.data import Dataset, prepare_mmrec
from cliper.data.splits import make_split
from cliper.experiments.run.build import evaluate_part
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment

N = 24


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """60 users who walk around a circle of items from different places: the last says the next."""
    source = tmp_path_factory.mktemp("circle") / "source"
    source.mkdir()
    rows = ["userID\titemID\trating\ttimestamp\tx_label"]
    for user in range(60):
        for step in range(10):
            stamp = 1000 * step + user
            rows.append(f"{user}\t{(5 * user + step) % N}\t5.0\t{stamp}\t{max(0, step - 7)}")
    (source / "circle.inter").write_text("\n".join(rows) + "\n")
    return prepare_mmrec(source, source.parent / "dataset")


def config(dataset: Dataset, name: str, kind: str, mask: str = "train+valid") -> ExperimentConfig:
    return ExperimentConfig.build(
        {
            "dataset": {"path": str(dataset.path)},
            "features": {"kind": "none"},
            "split": {"kind": kind},
            "backbone": {"name": name, "embedding_size": 32, "dropout": 0.1},
            "training": {
                "max_epochs": 40,
                "batch_size": 128,
                "learning_rate": 0.01,
                "validate_every": 40,
            },
            "evaluation": {"k": [1, 20], "mask": mask},
        }
    )


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("kind", ["leave-one-out", "global-time"])
def test_what_comes_next_is_found(dataset: Dataset, name: str, kind: str, tmp_path: Path) -> None:
    run = run_experiment(config(dataset, name, kind), tmp_path / "run", dataset=dataset)
    assert run.results.epochs_run == 40
    assert run.results.test["recall@20"] > 0
    if kind == "leave-one-out":
        # a guess finds one of the 15 that are left; who knows the last item finds the next
        assert run.results.test["recall@1"] > 0.8


@pytest.mark.parametrize("name", ["sasrec", "gru4rec"])
def test_the_test_goes_on_from_the_validation_item(
    dataset: Dataset, name: str, tmp_path: Path
) -> None:
    """With `mask: train` validation has not happened, and what comes next is that item itself."""
    found = {}
    for mask in ("train", "train+valid"):
        settings = config(dataset, name, "leave-one-out", mask)
        run = run_experiment(settings, tmp_path / mask, dataset=dataset)
        found[mask] = run.results.test["recall@1"]
    assert found["train"] < 0.3 and found["train+valid"] > 0.8


def test_validation_goes_on_from_training_alone(dataset: Dataset) -> None:
    """What a model reads when it is validated does not hold the item that it must find."""
    split = make_split(dataset, "leave-one-out", 0)
    model = create_backbone("sasrec", split.train)
    read = []
    scorer = model.scorer
    model.scorer = lambda history=None: (read.append(history), scorer(history))[1]  # type: ignore[method-assign]
    settings = config(dataset, "sasrec", "leave-one-out")
    own, evaluation = settings.own_settings, settings.evaluation
    with torch.inference_mode():
        evaluate_part(model, own, split, "valid", evaluation)
        evaluate_part(model, own, split, "test", evaluation)
    assert [len(history) for history in read] == [
        len(split.train),
        len(split.train) + len(split.valid),
    ]
