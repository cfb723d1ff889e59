"""What trackers wrote, read back by the libraries' own readers."""

import json
from pathlib import Path

import pytest

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.experiments.run.fit import experiment_identity

from ...given_shop import make_given

EPOCHS = 4


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_given(tmp_path_factory.mktemp("given"))


def config(dataset: Dataset, **tracking: object) -> ExperimentConfig:
    return ExperimentConfig.build(
        {
            "dataset": {"path": str(dataset.path)},
            "backbone": {"name": "bpr"},
            "features": {"kind": "none"},
            "training": {"max_epochs": EPOCHS, "batch_size": 64, "learning_rate": 0.01},
            **({"tracking": tracking} if tracking else {}),
        }
    )


def epochs_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_tensorboard_reads_the_epochs(dataset: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="an extra, cliper[tensorboard]")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = run_experiment(config(dataset, to=["tensorboard"]), tmp_path / "run")
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    records = epochs_of(run.path)
    assert len(records) == EPOCHS
    for name, of in (
        ("loss/total", lambda r: sum(r["loss"].values())),
        ("valid/recall@20", lambda r: r["valid"]["recall@20"]),
    ):
        told = [(e.step, e.value) for e in events.Scalars(name)]
        assert told == [(r["epoch"], pytest.approx(of(r), rel=1e-6)) for r in records]
    (test,) = events.Scalars("test/recall@20")
    assert test.step == run.results.best_epoch
    assert test.value == pytest.approx(run.results.test["recall@20"], rel=1e-6)
    assert "settings/text_summary" in events.Tags()["tensors"]


def test_mlflow_reads_the_epochs_and_goes_on_with_an_interrupted_run(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="an extra, cliper[mlflow]")
    from mlflow.tracking import MlflowClient

    import cliper.experiments.run.fit as fit

    tracked = config(dataset, to=["mlflow"], mlflow_experiment="shop")

    def broken(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # all epochs are told, then it is interrupted
        patch.setattr(fit, "_finish", broken)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(tracked, tmp_path / "run")
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("shop")
    (before,) = client.search_runs([experiment.experiment_id])
    assert before.info.status == "RUNNING"
    run = run_experiment(tracked, tmp_path / "run", resume=True)
    (after,) = client.search_runs([experiment.experiment_id])
    assert after.info.run_id == before.info.run_id and after.info.status == "FINISHED"
    history = client.get_metric_history(after.info.run_id, "valid/recall_at_20")
    expected = [(r["epoch"], r["valid"]["recall@20"]) for r in epochs_of(run.path)]
    assert [(m.step, m.value) for m in history] == expected
    assert after.data.metrics["test/recall_at_20"] == run.results.test["recall@20"]
    assert after.data.params["backbone.name"] == "bpr"
    assert after.data.params["training.max_epochs"] == str(EPOCHS)


def test_tracking_changes_no_result_and_no_identity(dataset: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="an extra, cliper[tensorboard]")
    plain, told = config(dataset), config(dataset, to=["tensorboard"])
    assert experiment_identity(dataset, plain, None) == experiment_identity(dataset, told, None)
    a = run_experiment(plain, tmp_path / "a")
    b = run_experiment(told, tmp_path / "b")
    model = "model.safetensors"
    assert (a.path / model).read_bytes() == (b.path / model).read_bytes()
    assert a.results.test == b.results.test


def test_settings_without_effect_and_unknown_trackers(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="no effect without MLflow"):
        config(dataset, mlflow_uri="sqlite:///x.db")
    with pytest.raises(InputError, match="tracking"):
        config(dataset, to=["wandb"])


def test_a_missing_package_is_one_line(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cliper.experiments.run.tracking.mlflow", None)
    with pytest.raises(InputError, match="mlflow is not installed"):
        run_experiment(config(dataset, to=["mlflow"]), tmp_path / "run")


def test_the_option_is_short_for_the_setting(
    dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard", reason="an extra, cliper[tensorboard]")
    from cliper.cli import main

    arguments = ["train", str(dataset.path), "--backbone", "bpr", "--features", "none"]
    out = tmp_path / "run"
    status = main([*arguments, "--epochs", "2", "--track", "tensorboard", "--out", str(out)])
    assert status == 0, capsys.readouterr().err
    assert list((out / "tensorboard").iterdir())
