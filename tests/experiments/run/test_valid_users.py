"""Validation of drawn users: how many, which, and how far their mean may be off."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from cliper.data import Dataset, prepare_files
from cliper.errors import InputError
from cliper.experiments.run.build import score_part
from cliper.experiments.run.config import EvaluationSection, ExperimentConfig
from cliper.experiments.run.fit import fit_experiment
from cliper.experiments.run.split import drawn_users, experiment_split
from cliper.ranking import evaluate
from cliper.scoring import FactorScorer
from cliper.testing import toy_world

TRAIN = toy_world().train


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rows = ["user_id,item_id"]
    rng = np.random.default_rng(0)
    rows += [f"u{u},i{i}" for u in range(60) for i in rng.choice(40, 12, replace=False)]
    folder = tmp_path_factory.mktemp("valid-users")
    (folder / "log.csv").write_text("\n".join(rows))
    prepare_files(None, folder / "log.csv", None, folder / "data")
    return Dataset.load(folder / "data")


def config(dataset: Dataset, **evaluation: object) -> ExperimentConfig:
    return ExperimentConfig.build(
        {
            "dataset": {"path": "."},
            "features": {"kind": "none"},
            "backbone": {"name": "bpr"},
            "training": {"max_epochs": 2},
            "evaluation": evaluation,
        }
    )


def test_so_many_users_drawn_by_the_seed() -> None:
    every = np.flatnonzero(TRAIN.user_counts())
    drawn = [np.flatnonzero(drawn_users(TRAIN, 7, seed).user_counts()) for seed in (0, 0, 1)]
    assert all(len(d) == 7 and np.isin(d, every).all() for d in drawn)
    assert drawn[0].tolist() == drawn[1].tolist() != drawn[2].tolist()
    kept = drawn_users(TRAIN, 7, 0)
    assert (kept.user_counts()[drawn[0]] == TRAIN.user_counts()[drawn[0]]).all()
    assert drawn_users(TRAIN, len(every), 0) is TRAIN


def test_every_user_is_as_likely() -> None:
    users = np.flatnonzero(TRAIN.user_counts())
    n, times = len(users) // 4, 400
    counts = sum(
        (drawn_users(TRAIN, n, seed).user_counts() > 0).astype(int) for seed in range(times)
    )[users]
    assert scipy.stats.chisquare(counts).pvalue > 1e-4


def test_standard_errors_are_scipys() -> None:
    generator = torch.Generator().manual_seed(0)
    scorer = FactorScorer(
        torch.randn(TRAIN.n_users, 4, generator=generator),
        torch.randn(TRAIN.n_items, 4, generator=generator),
    )
    found = evaluate(scorer, TRAIN, ks=(5, 20))
    assert found.errors.keys() == found.metrics.keys()
    for key, values in found.per_user.items():
        assert found.errors[key] == pytest.approx(scipy.stats.sem(values))


def test_validation_is_of_drawn_users_and_the_test_of_everyone(dataset: Dataset) -> None:
    some = config(dataset, valid_users=9)
    split = experiment_split(dataset, some)
    generator = torch.Generator().manual_seed(0)
    scorer = FactorScorer(
        torch.randn(split.train.n_users, 4, generator=generator),
        torch.randn(split.train.n_items, 4, generator=generator),
    )
    everyone = score_part(scorer, split, "valid", EvaluationSection())
    few = score_part(scorer, split, "valid", some.evaluation)
    assert len(few.users) == 9 < len(everyone.users)
    place = np.searchsorted(everyone.users, few.users)
    for key, values in few.per_user.items():
        assert values.tolist() == everyone.per_user[key][place].tolist()
    test = score_part(scorer, split, "test", some.evaluation)
    assert len(test.users) == int((split.test.user_counts() > 0).sum()) > 9


def test_the_run_tells_the_standard_error(dataset: Dataset, tmp_path: Path) -> None:
    fit_experiment(dataset, config(dataset, valid_users=9), None, tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    for record in map(json.loads, lines):
        assert record["valid_error"].keys() == record["valid"].keys()
        # a mean of nine fractions in [0, 1] cannot be further off
        assert all(0 <= e <= 0.5 / np.sqrt(8) + 1e-9 for e in record["valid_error"].values())
    assert any(record["valid_error"]["recall@20"] > 0 for record in map(json.loads, lines))


@pytest.mark.parametrize("wrong", [0, -1, "all", 2.5])
def test_what_is_no_number_of_users_is_refused(dataset: Dataset, wrong: object) -> None:
    with pytest.raises(InputError, match="valid_users"):
        config(dataset, valid_users=wrong)


def test_an_unknown_search_is_refused(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="neighbours"):
        ExperimentConfig.build({"dataset": {"path": "."}, "graphs": {"neighbours": "quick"}})
