"""What runs in a worker process: one dataset, one thing to do after another."""

import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.adaptation import with_figure
from cliper.experiments.attempt import attempt
from cliper.experiments.config import ExperimentConfig
from cliper.experiments.fit import fit_experiment
from cliper.progress import INNER, Task, reporting, silent
from cliper.representation.cache import FeatureCache
from cliper.runs import RunDirectory

# A path that the user gave cannot be used as one.
PATH_ERRORS = (PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
EVERY = 0.2  # seconds between two messages of one bar


class Desk:
    """What a piece of work may use: the dataset, its features, and a word with the parent.

    Args:
        dataset: loaded.
        pipe: to the parent.
    """

    def __init__(self, dataset: Dataset, pipe: Connection) -> None:
        self.dataset, self.features = dataset, FeatureCache(dataset, with_figure())
        self._pipe = pipe

    def report(self, step: int, value: float) -> bool:
        """Tell how the work is doing; the answer is whether to go on."""
        self._pipe.send(("report", step, value))
        return bool(self._pipe.recv())


def fit(desk: Desk, arguments: Mapping[str, Any]) -> None:
    """Train one run: `config` as given, `out` its folder."""
    config = ExperimentConfig.build(arguments["config"])
    with logged_to(RunDirectory(Path(arguments["out"]))) as directory:
        features = desk.features.get(config.representation)
        fit_experiment(desk.dataset, config, features, directory.path, resume=True)


def validate(desk: Desk, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Train and validate a configuration; `reports` tells the parent of every validation."""
    config = ExperimentConfig.build(arguments["config"])
    told = (desk.report,) if arguments.get("reports") else ()
    with logged_to(RunDirectory(Path(arguments["out"]))) as directory:
        features = desk.features.get(config.representation)
        return asdict(attempt(desk.dataset, config, features, directory.path, *told))


@contextmanager
def logged_to(directory: RunDirectory) -> Iterator[RunDirectory]:
    """A failure among many is shown in one line; its traceback goes into the run's log."""
    try:
        yield directory
    except InputError:
        raise
    except Exception:
        if directory.config_file.is_file():
            directory.log(traceback.format_exc())
        raise


WORK: dict[str, Callable[[Desk, Mapping[str, Any]], Any]] = {"fit": fit, "attempt": validate}


def main(pipe: Connection, path: str, dataset_hash: str, threads: int) -> None:
    """Load the dataset, then answer each (kind, arguments) with its value or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what an interrupt means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", message="Sparse (CSR tensor|invariant)")
    desk: Desk | None = None
    with reporting(_Forward(pipe)):
        while True:
            try:
                kind, arguments = pipe.recv()
            except EOFError:  # no more work
                return
            try:
                desk = desk or Desk(_load(path, dataset_hash), pipe)
                answer: tuple[Any, ...] = ("done", WORK[kind](desk, arguments))
            except InputError as error:
                answer = ("failed", True, str(error))
            except PATH_ERRORS as error:
                answer = ("failed", True, f"{error.filename}: {error.strerror}")
            except Exception as error:
                answer = ("failed", False, " ".join(f"{type(error).__name__}: {error}".split()))
            try:
                pipe.send(answer)
            except BrokenPipeError:
                return


def _load(path: str, expected: str) -> Dataset:
    dataset = Dataset.load(path)
    if dataset.hash != expected:
        raise InputError("the dataset has changed while it was in use", where=path)
    return dataset


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


class _Forward:
    """Sends progress to the parent, who shows it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._count = pipe, 0

    @contextmanager
    def task(self, description: str, total: float | None, unit: str = "") -> Iterator[Task]:
        if description in INNER:
            yield silent()
            return
        self._count += 1
        bar = _Throttled(self._pipe, self._count)
        self._pipe.send(("open", self._count, description, total, unit))
        try:
            yield bar
        finally:
            bar.flush()
            self._pipe.send(("close", bar.identifier))


class _Throttled:
    def __init__(self, pipe: Connection, identifier: int) -> None:
        self._pipe, self.identifier = pipe, identifier
        self._amount, self._note, self._sent = 0.0, "", 0.0

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._amount += amount
        self._note = note or self._note
        if time.monotonic() - self._sent >= EVERY:
            self.flush()

    def flush(self) -> None:
        if self._amount or self._note:
            self._pipe.send(("advance", self.identifier, self._amount, self._note))
            self._amount, self._note, self._sent = 0.0, "", time.monotonic()
