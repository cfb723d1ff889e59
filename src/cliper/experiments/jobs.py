"""Many trainings, one after the other or several at a time; finished ones are reused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cliper.data import Dataset
from cliper.errors import CliperError, InputError
from cliper.experiments.adaptation import with_figure
from cliper.experiments.attempt import FILE as ATTEMPT_FILE
from cliper.experiments.attempt import Attempt, attempt, check_identity, read_attempt
from cliper.experiments.config import ExperimentConfig
from cliper.experiments.fit import experiment_identity, fit_experiment
from cliper.experiments.pool import Pool, WorkItem
from cliper.experiments.run import Run
from cliper.experiments.worker import logged_to
from cliper.progress import Task, task
from cliper.representation import ItemFeatures
from cliper.representation.cache import FeatureCache
from cliper.runs import RunDirectory


@dataclass(frozen=True)
class Job:
    """One training of many.

    Attributes:
        name: what people call it, e.g. `freedom-cliper-attention seed 3`.
        config: all its settings; the dataset is the one that all jobs share.
        folder: its run directory.
    """

    name: str
    config: ExperimentConfig
    folder: Path

    def arguments(self) -> dict[str, Any]:
        """What a worker needs, as plain values."""
        return {"config": self.config.given(), "out": str(self.folder)}


@dataclass(frozen=True)
class _Kind:
    """A sort of work.

    Attributes:
        name: in `worker.WORK`.
        do: the work in this process.
        last_file: what it writes last.
    """

    name: str
    do: Callable[[Dataset, ExperimentConfig, ItemFeatures | None, Path], object]
    last_file: str


FIT = _Kind("fit", lambda *given: fit_experiment(*given, resume=True), "results.json")
ATTEMPT = _Kind("attempt", lambda *given: attempt(*given), ATTEMPT_FILE)


def run_jobs(
    dataset: Dataset,
    jobs: Sequence[Job],
    *,
    processes: int | None = 1,
    description: str = "training",
) -> list[Run]:
    """Do all jobs; those that are finished in their folder already are reused.

    On one machine's CPU a run has the same bytes whichever process trained it, as long as it had
    as many threads.

    Args:
        dataset: what all are trained on; with a path where there are several processes.
        jobs: in the order of the answer.
        processes: worker processes that share the CPU's threads; None for as many as pay.
        description: of the progress bar.

    Raises:
        InputError: the first wrong setting, or a folder that holds another run.
        CliperError: some jobs failed otherwise; the others are done, and it says which did not.
    """
    _do_all(FIT, dataset, jobs, processes, description)
    return [Run.load(job.folder) for job in jobs]


def run_attempts(
    dataset: Dataset,
    jobs: Sequence[Job],
    *,
    processes: int | None = 1,
    description: str = "searching",
) -> list[Attempt]:
    """The same for configurations that are validated and never tested; see `attempt`."""
    _do_all(ATTEMPT, dataset, jobs, processes, description)
    return [read_attempt(job.folder) for job in jobs]


def _do_all(
    kind: _Kind, dataset: Dataset, jobs: Sequence[Job], processes: int | None, description: str
) -> None:
    cache = FeatureCache(dataset, with_figure())
    pending = [job for job in jobs if not _is_done(kind, job, dataset, cache)]
    workers = processes_for(pending, processes)
    failures: list[str] = []
    with task(description, total=len(jobs)) as progress:
        progress.advance(len(jobs) - len(pending))
        if workers > 1:
            _several_at_a_time(kind, dataset, pending, workers, cache, failures, progress)
        else:
            _one_by_one(kind, dataset, pending, cache, failures, progress)
    if failures:
        raise CliperError(
            f"{len(failures)} of {len(jobs)} runs failed, the others are done: "
            + "; ".join(failures)
        )


def processes_for(pending: Sequence[Job], wanted: int | None) -> int:
    """How many workers to start: as many as wanted, never more than jobs.

    None is for as many as PyTorch has threads: one thread in each of two processes trains more
    than two threads in one. Jobs on an accelerator share it badly, so they go one by one.
    """
    if wanted is None:
        on_cpu = all(job.config.training.device == "cpu" for job in pending)
        wanted = torch.get_num_threads() if on_cpu else 1
    return max(1, min(wanted, len(pending)))


def _is_done(kind: _Kind, job: Job, dataset: Dataset, cache: FeatureCache) -> bool:
    """True for this very run, finished.

    Raises:
        InputError: the folder holds a run with other settings or data.
    """
    directory = RunDirectory(job.folder)
    if not directory.config_file.is_file():
        return False
    check_identity(
        directory, experiment_identity(dataset, job.config, cache.get(job.config.representation))
    )
    return (job.folder / kind.last_file).is_file()


def _one_by_one(
    kind: _Kind,
    dataset: Dataset,
    jobs: Sequence[Job],
    cache: FeatureCache,
    failures: list[str],
    progress: Task,
) -> None:
    for job in jobs:
        try:
            with logged_to(RunDirectory(job.folder)):
                kind.do(dataset, job.config, cache.get(job.config.representation), job.folder)
        except (InputError, OSError):
            raise
        except Exception as error:
            failures.append(f"{job.name}: {type(error).__name__}: {error}")
        progress.advance(note=job.name)


def _several_at_a_time(
    kind: _Kind,
    dataset: Dataset,
    jobs: Sequence[Job],
    workers: int,
    cache: FeatureCache,
    failures: list[str],
    progress: Task,
) -> None:
    if dataset.path is None:
        raise InputError("a dataset in memory cannot be shared", where="processes", remedy="use 1")
    for job in jobs:  # encoded once here, then every worker reads the dataset's store
        cache.get(job.config.representation)
    cache.clear()
    items = (
        WorkItem(
            number, kind.name, job.name, {"config": job.config.given(), "out": str(job.folder)}
        )
        for number, job in enumerate(jobs)
    )
    with Pool(dataset, workers) as pool:
        for outcome in pool.outcomes(items):
            job = jobs[outcome.number]
            if outcome.error and outcome.is_input_error:
                raise InputError(outcome.error)
            if outcome.error:
                failures.append(f"{job.name}: {outcome.error}")
            progress.advance(note=job.name)
