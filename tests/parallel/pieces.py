"""Pieces of work that a worker process can import."""

import os
import signal
import time
from pathlib import Path

import torch

from cliper.errors import InputError
from cliper.progress import task


def number() -> int:
    return 40


def add(state: int, by: int) -> int:
    with task("adding", total=by) as bar:
        for _ in range(by):
            bar.advance()
    return state + by


def process(state: int) -> tuple[int, int]:
    return os.getpid(), torch.get_num_threads()


def killed(state: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_once(state: int, path: str) -> int:
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return state + 1


def fails(state: int) -> None:
    raise ValueError("two\nlines")


def refuses(state: int) -> None:
    raise InputError("no such thing", where="here")


def no_path(state: int, path: str) -> None:
    (Path(path) / "below").mkdir()


def runs_on(state: int, path: str) -> None:
    """Writes a byte a hundredth of a second, until somebody ends it."""
    with Path(path).open("ab", buffering=0) as stream:
        while True:
            stream.write(b".")
            time.sleep(0.01)
