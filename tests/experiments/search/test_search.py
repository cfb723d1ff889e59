"""Searches that are killed, shared by processes, broken off: against an uninterrupted one."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from toy import SPACE, build_for, make_toy

from cliper.data import Dataset
from cliper.errors import CliperError, InputError
from cliper.experiments.run.validate import validate
from cliper.experiments.search import Choice, SearchOutcome, conclude, search
from cliper.experiments.search.run import best_trial
from cliper.runs import RunDirectory

TRIALS = 10


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_toy(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> SearchOutcome:
    out = tmp_path_factory.mktemp("whole")
    return search(dataset, build_for(dataset.path), SPACE, out, trials=TRIALS, warmup=2)


def without_times(outcome: SearchOutcome) -> list:
    return [replace(trial, train_seconds=0.0) for trial in outcome.trials]


def test_killed_and_resumed_it_tries_the_same(dataset, whole, tmp_path: Path) -> None:
    script = Path(__file__).parent / "toy.py"
    command = [sys.executable, str(script), str(dataset.path), str(tmp_path), str(TRIALS)]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    generator = random.Random(1)
    journal, lines = tmp_path / "study.journal", 0
    for _ in range(2):
        lines += generator.randint(20, 60)
        process = subprocess.Popen(command, env=alone)
        while process.poll() is None and (
            not journal.is_file() or journal.read_bytes().count(b"\n") < lines
        ):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
        lines = journal.read_bytes().count(b"\n")
    resumed = search(dataset, build_for(dataset.path), SPACE, tmp_path, trials=TRIALS, warmup=2)
    assert without_times(resumed) == without_times(whole)
    assert resumed.best.number == whole.best.number
    assert any(trial.state == "pruned" for trial in whole.trials)


def test_what_a_kill_leaves_is_cleared_away(
    dataset, whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = build_for(dataset.path)
    search(dataset, build, SPACE, tmp_path, trials=4, warmup=2)
    journal = tmp_path / "study.journal"
    with journal.open("ab") as stream:
        stream.write(b'{"op_code":4,"worker')
    (tmp_path / "study.journal.lock").symlink_to(journal)
    # the library alone would sleep, for 30 s altogether, before it takes the lock
    monkeypatch.setattr(
        "optuna.storages.journal._file.time",
        SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: pytest.fail("waited for a lock")),
    )
    more = search(dataset, build, SPACE, tmp_path, trials=TRIALS, warmup=2)
    assert without_times(more) == without_times(whole)


def test_broken_off_are_those_below_the_median_of_their_step(whole: SearchOutcome) -> None:
    for trial in whole.trials:
        before = [t for t in whole.trials[: trial.number] if t.state == "complete"]
        for step in trial.values:
            reached = [t.values[step] for t in before if step in t.values]
            so_far = max(v for s, v in trial.values.items() if s <= step)
            falls = len(before) >= 5 and step >= 2 and so_far < np.median(reached)
            last = step == max(trial.values)
            assert falls == (trial.state == "pruned" and last)


def test_two_processes_share_a_study(dataset: Dataset, tmp_path: Path) -> None:
    build = build_for(dataset.path)
    outcome = search(dataset, build, SPACE, tmp_path, trials=7, warmup=2, processes=2)
    assert [trial.number for trial in outcome.trials] == list(range(7))
    assert outcome.budget["configurations"] == 7
    for trial in outcome.trials:
        records = RunDirectory(tmp_path / "trials" / f"{trial.number:04d}").read_metrics()
        assert {r["epoch"]: r["valid"]["recall@20"] for r in records} == trial.values


def test_nothing_is_tested_but_the_winner_and_that_once(dataset, tmp_path: Path) -> None:
    build = build_for(dataset.path)
    outcome = search(dataset, build, SPACE, tmp_path, trials=3)
    assert not list(tmp_path.rglob("results.json")) and not list(tmp_path.rglob("test_*"))
    result = conclude(dataset, build, outcome, tmp_path)
    assert [p.parent.name for p in tmp_path.rglob("results.json")] == ["best"]
    assert result.winner.results.valid["recall@20"] == outcome.best.value
    assert all(path.is_file() for path in result.files)


def test_another_search_in_the_same_folder_is_refused(dataset, tmp_path: Path) -> None:
    build = build_for(dataset.path)
    small = {"backbone.embedding_size": Choice((4, 8))}
    outcome = search(dataset, build, small, tmp_path, trials=50)
    assert outcome.budget["configurations"] == 2  # all that there are
    with pytest.raises(InputError, match=r"other settings .*space"):
        search(dataset, build, {"backbone.embedding_size": Choice((4, 16))}, tmp_path)
    with pytest.raises(InputError, match=r"other settings .*base"):
        search(dataset, build_for(dataset.path, max_epochs=3), small, tmp_path)
    with pytest.raises(InputError, match=r"grid needs values"):
        search(dataset, build, SPACE, tmp_path / "other", sampler="grid")


def test_two_commands_cannot_search_in_one_folder(dataset, tmp_path: Path) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="another command"):
        search(dataset, build_for(dataset.path), SPACE, tmp_path, trials=2)


def test_a_trial_that_fails_is_noted_and_the_rest_goes_on(
    dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cliper.experiments.run.validate import validate as whole_validate

    def failing(dataset, config, features, folder, on_validation):
        if config.backbone["embedding_size"] == 8:
            raise CliperError("the loss is not finite")
        return whole_validate(dataset, config, features, folder, on_validation)

    monkeypatch.setattr("cliper.experiments.search.run.validate", failing)
    sizes = {"backbone.embedding_size": Choice((4, 8, 16))}
    outcome = search(dataset, build_for(dataset.path), sizes, tmp_path, sampler="grid")
    assert [t.state for t in outcome.trials] == ["complete", "failed", "complete"]
    assert outcome.trials[1].error == "CliperError: the loss is not finite"
    assert outcome.budget["failed"] == 1
    with pytest.raises(CliperError, match="no trial could be finished: CliperError: the loss"):
        best_trial([outcome.trials[1]])


def test_what_a_killed_worker_had_half_written_is_removed(dataset: Dataset, tmp_path: Path) -> None:
    left = tmp_path / "t" / ".checkpoint.safetensors.abcdefgh.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    validate(dataset, build_for(dataset.path)({}), None, left.parent)
    assert not left.exists()
