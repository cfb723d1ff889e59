"""Many trainings in several processes: the same bytes, and nothing left behind by a kill."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from cliper.data import Dataset
from cliper.errors import CliperError
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.fit import fit_experiment
from cliper.experiments.run.trainings import Training, train_all, workers_for
from cliper.parallel import OnRay
from cliper.progress import reporting


def training(dataset: Dataset, out: Path, backbone: str, seed: int, **settings: object) -> Training:
    tree = {
        "dataset": {"path": str(dataset.path)},
        "backbone": {"name": backbone},
        "features": {"kind": "random" if backbone == "vbpr" else "none"},
        "training": {"max_epochs": 4, "batch_size": 256, "seed": seed, **settings},
    }
    return Training(f"{backbone} {seed}", ExperimentConfig.build(tree), out / f"{backbone}-{seed}")


class Seen:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.total, self.lines = 0.0, []

    def task(self, description, total, unit=""):
        seen = self

        class Bar:
            def advance(self, amount: float = 1, note: str = "") -> None:
                if description == "trying":
                    seen.total += amount

        @contextmanager
        def opened():
            seen.lines.append((description, total))
            yield Bar()

        return opened()


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_two_processes_give_the_bytes_of_one(dataset, tmp_path: Path, one_thread) -> None:
    alone = [training(dataset, tmp_path / "a", b, s) for b in ("bpr", "vbpr") for s in (0, 1)]
    shared = [training(dataset, tmp_path / "b", b, s) for b in ("bpr", "vbpr") for s in (0, 1)]
    train_all(dataset, alone)
    seen = Seen()
    with reporting(seen):
        runs = train_all(dataset, shared, processes=2, description="trying")
    assert [run.path for run in runs] == [j.folder for j in shared]
    assert seen.total == 4
    assert ("trying", 4) in seen.lines and ("vbpr 1: training Vbpr", 4) in seen.lines
    for one, other in zip(alone, shared, strict=True):
        for name in ("model.safetensors", "test_per_user.parquet", "embeddings.safetensors"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_workers_under_ray_give_the_bytes_of_one_process(
    under_ray: None, dataset: Dataset, tmp_path: Path, one_thread: None
) -> None:
    alone, shared = (
        [training(dataset, tmp_path / n, b, 0) for b in ("bpr", "vbpr")] for n in ("a", "b")
    )
    train_all(dataset, alone)
    runs = train_all(dataset, shared, processes=OnRay(2))
    assert [run.path for run in runs] == [j.folder for j in shared]
    for one, other in zip(alone, shared, strict=True):
        for name in ("model.safetensors", "test_per_user.parquet", "embeddings.safetensors"):
            assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_failed_runs_are_named_and_the_others_done(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing is stood in for; that processes tell of it the same way, `tests/parallel` shows."""

    def failing(dataset, config, features, out, **rest):
        if config.training.seed == 1:
            raise CliperError("the loss is not finite")
        return fit_experiment(dataset, config, features, out, **rest)

    monkeypatch.setattr("cliper.experiments.run.trainings.fit_experiment", failing)
    trainings = [training(dataset, tmp_path, "bpr", s) for s in (0, 1, 2)]
    line = "1 of 3 runs failed, the others are done: bpr 1: CliperError: the loss is not finite"
    with pytest.raises(CliperError, match=f"^{line}$"):
        train_all(dataset, trainings)
    assert [t.folder.joinpath("results.json").exists() for t in trainings] == [True, False, True]


def test_workers_end_with_a_killed_parent(dataset: Dataset, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nimport sys\n"
        "from cliper.data import Dataset\n"
        "from cliper.experiments.comparisons.variants import plan\n"
        "from cliper.experiments.comparisons.compare import compare\n"
        "if __name__ == '__main__':\n"
        "    base = {'training': {'max_epochs': 100000, 'patience': 100000, 'batch_size': 64}}\n"
        "    compare(Dataset.load(sys.argv[1]), plan(['bpr'], [], []), [0, 1], "
        "Path(sys.argv[2]), base=base, processes=2)\n"
    )
    script, out = tmp_path / "go.py", tmp_path / "out"
    script.write_text(code)
    parent = subprocess.Popen([sys.executable, str(script), str(dataset.path), str(out)])
    logs = [out / "runs" / "bpr-none" / f"seed-{s}" / "metrics.jsonl" for s in (0, 1)]

    def lines() -> list[int]:
        return [log.read_text().count("\n") if log.is_file() else 0 for log in logs]

    try:
        while min(lines()) < 2:  # the suite's own limit is the limit
            assert parent.poll() is None
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
    for _ in range(30):  # on a busy machine a worker sees late that its parent is gone
        before = lines()
        time.sleep(2.0)
        if lines() == before:
            break
    assert lines() == before


def test_as_many_workers_as_pay(dataset: Dataset, tmp_path: Path) -> None:
    configs = [training(dataset, tmp_path, "bpr", s).config for s in range(3)]
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert workers_for(configs, None) == 2
        assert workers_for(configs[:1], None) == 1
        assert workers_for(configs, 8) == 3
        assert workers_for([], None) == 1
        away = training(dataset, tmp_path, "bpr", 0, device="cuda").config
        assert workers_for([*configs, away], None) == 1
    finally:
        torch.set_num_threads(threads)
