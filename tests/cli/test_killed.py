"""Trainings that are killed or interrupted in another process, and resumed."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

EPOCHS = 40


def arguments(dataset: Path, out: Path) -> list[str]:
    return [
        "train", str(dataset), "--backbone", "bpr", "--epochs", str(EPOCHS),
        "--set", "training.patience=1000", "--set", "training.checkpoint_seconds=0",
        "--set", "training.batch_size=64", "--out", str(out),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def whole(cliper, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    answer = cliper(*arguments(dataset, out))
    assert answer.status == 0, answer.err
    return (out / "model.safetensors").read_bytes()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_resumed_training_ends_in_the_same_bytes(cliper, dataset, whole, tmp_path, how):
    out = tmp_path / "run"
    code = "import sys; from cliper.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments(dataset, out), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job that a shell put into the background inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = out / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (log.is_file() and log.read_text().count("\n") >= 3):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(how)
    said, complained = process.communicate(timeout=60)
    assert not (out / "results.json").exists()
    assert said == ""
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert complained.splitlines()[-1] == (
            f"cliper: interrupted; what was trained is kept in {out}; "
            "the same command with --resume goes on"
        )
        assert "Traceback" not in complained
    answer = cliper(*arguments(dataset, out), "--resume", "--json")
    assert answer.status == 0, answer.err
    assert answer.json["epochs_run"] == EPOCHS
    assert (out / "model.safetensors").read_bytes() == whole
    assert not (out / "checkpoint.safetensors").exists()
