"""One training by several workers: what one process learns, also where a worker is killed."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.experiment import run_experiment
from cliper.experiments.run.finished import Run
from cliper.experiments.run.together import train_by
from cliper.experiments.run.trainings import _load
from cliper.parallel import OnRay, Processes
from cliper.training.optimizer import FROM


@pytest.fixture(scope="module")
def two(dataset: Dataset) -> Iterator[Processes]:
    assert dataset.path is not None
    with Processes(partial(_load, str(dataset.path), dataset.hash), 2, threads=1) as engine:
        yield engine


def config(
    dataset: Dataset, backbone: str, share: float = 1.0, **training: object
) -> ExperimentConfig:
    needs = backbone in ("vbpr", "freedom", "clcrec")
    tree = {
        "dataset": {"path": str(dataset.path)},
        "backbone": {"name": backbone},
        "split": {"train_share": share},
        "features": {"kind": "random" if needs else "none"},
        "training": {"max_epochs": 6, "batch_size": 100, "learning_rate": 0.01, **training},
    }
    return ExperimentConfig.build(tree)


def losses(run: Run) -> list[float]:
    return [sum(line["loss"].values()) for line in run.directory.read_metrics()]


@pytest.mark.parametrize(
    ("backbone", "batch", "epochs"),
    [("bpr", 6, 1), ("vbpr", 1279, 6), ("lightgcn", 200, 6), ("freedom", 200, 6)],
)
def test_two_workers_learn_what_one_process_learns(
    dataset: Dataset, two: Processes, tmp_path: Path, backbone: str, batch: int, epochs: int
) -> None:
    """Also by rows (the small batch of bpr), and where a last batch has one row (vbpr's)."""
    share = 0.3 if backbone == "bpr" else 1.0
    given = config(dataset, backbone, share, batch_size=batch, max_epochs=epochs)
    alone = run_experiment(given, tmp_path / "alone")
    assert (FROM * batch <= 80) == (backbone == "bpr")
    assert backbone != "vbpr" or alone.results.dataset.train % batch == 1
    train_by(two, 2, given, tmp_path / "two")
    together = Run.load(tmp_path / "two")
    np.testing.assert_allclose(losses(together), losses(alone), rtol=1e-4)
    one, other = (load_file(run.path / "model.safetensors") for run in (alone, together))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=1e-2, atol=1e-3, msg=name)
    found = together.results.test["recall@20"]
    assert found == pytest.approx(alone.results.test["recall@20"], rel=0.01)
    names = {entry.name for entry in alone.path.iterdir()}
    assert {entry.name for entry in together.path.iterdir()} == names
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["alone", "two"]
    assert "2 workers" in together.directory.log_file.read_text()


def test_what_cannot_be_shared_is_one_line(dataset: Dataset, tmp_path: Path) -> None:
    for backbone, line in (
        ("clcrec", "clcrec's loss sees the rows of a batch together"),
        ("popularity", "popularity is not trained in batches"),
    ):
        with pytest.raises(InputError, match=f"^--engine ray: {line}"):
            run_experiment(config(dataset, backbone), tmp_path / "out", where=OnRay(2))


def descendants(parent: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2]
        except OSError:
            continue
        if int(after_name.split()[1]) == parent:
            yield int(entry.name)
            yield from descendants(int(entry.name))


def an_actor() -> int:
    """A worker that Ray, below this process, has at work."""
    for process in descendants(os.getpid()):
        try:
            title = Path(f"/proc/{process}/cmdline").read_text()
        except OSError:
            continue
        if title.startswith("ray::_Actor"):
            return process
    raise AssertionError("no actor at work")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_killed_worker_changes_nothing(
    under_ray: None, dataset: Dataset, two: Processes, tmp_path: Path
) -> None:
    """Under Ray, beside worker processes of this machine of which none is killed."""
    given = config(dataset, "bpr", batch_size=400, max_epochs=12, patience=12, checkpoint_seconds=0)
    train_by(two, 2, given, tmp_path / "undisturbed")
    undisturbed = Run.load(tmp_path / "undisturbed")
    metrics = tmp_path / "killed" / "metrics.jsonl"
    killed: list[int] = []

    def kill() -> None:
        while not (metrics.is_file() and metrics.read_text().count("\n") >= 3):
            time.sleep(0.005)
        killed.append(an_actor())
        os.kill(killed[0], signal.SIGKILL)

    watching = threading.Thread(target=kill)
    watching.start()
    disturbed = run_experiment(given, tmp_path / "killed", where=OnRay(2))
    watching.join()
    assert killed
    heads = disturbed.directory.log_file.read_text().count("2 workers")
    assert heads == 2  # begun once more
    for name in ("model.safetensors", "embeddings.safetensors", "test_per_user.parquet"):
        assert (disturbed.path / name).read_bytes() == (undisturbed.path / name).read_bytes()
    assert losses(disturbed) == losses(undisturbed)
    epochs = [line["epoch"] for line in disturbed.directory.read_metrics()]
    assert epochs == list(itertools.islice(itertools.count(1), len(epochs)))
