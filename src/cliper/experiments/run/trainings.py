"""Many trainings, one after the other or several at a time; finished ones are reused."""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from cliper.data import Dataset
from cliper.errors import CliperError, InputError
from cliper.experiments.drawing.adaptation import with_figure
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.finished import Run
from cliper.experiments.run.fit import experiment_identity, fit_experiment
from cliper.experiments.run.validate import FILE as VALIDATION_FILE
from cliper.experiments.run.validate import Validation, check_identity, read_validation, validate
from cliper.parallel import Cluster, Engine, Here, OnRay, Processes, Work, Workers
from cliper.progress import task
from cliper.representation import ItemFeatures
from cliper.representation.cache import FeatureCache
from cliper.runs import RunDirectory
from cliper.views import check_views

Given = tuple[Dataset, ExperimentConfig, ItemFeatures | None, Path]


@dataclass(frozen=True)
class Training:
    """One training of many.

    Attributes:
        name: what people call it, e.g. `freedom-cliper-attention seed 3`.
        config: all its settings; the dataset is the one that all of them share.
        folder: its run directory.
    """

    name: str
    config: ExperimentConfig
    folder: Path


class Shared:
    """What the trainings of one process share: the dataset, and the features of its items.

    Args:
        dataset: loaded.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.features = dataset, FeatureCache(dataset, with_figure())


def train_all(
    dataset: Dataset,
    trainings: Sequence[Training],
    *,
    processes: Workers = 1,
    description: str = "training",
) -> list[Run]:
    """Train and test all; those that are finished in their folder already are reused.

    On one machine's CPU a run has the same bytes whichever process trained it, as long as it had
    as many threads.

    Args:
        dataset: what all are trained on; with a path where there are several processes.
        trainings: in the order of the answer.
        processes: worker processes that share the CPU's threads, None for as many as pay; or
            workers under Ray, which see the dataset's and the runs' folders under the same paths.
        description: of the progress bar.

    Raises:
        InputError: the first wrong setting, or a folder that holds another run.
        CliperError: some failed otherwise; the others are done, and it says which did not.
    """
    _do_all(_fit, "results.json", dataset, trainings, processes, description)
    return [Run.load(training.folder) for training in trainings]


def validate_all(
    dataset: Dataset, trainings: Sequence[Training], *, processes: Workers = 1
) -> list[Validation]:
    """The same for trainings that are validated and never tested; see `validate`."""
    _do_all(_validate, VALIDATION_FILE, dataset, trainings, processes, "searching")
    return [read_validation(training.folder) for training in trainings]


def _check_views(dataset: Dataset, config: ExperimentConfig) -> None:
    rendered = config.features.kind == "cliper" and "features" not in dataset.about
    if rendered and dataset.catalogue is not None:
        check_views(dataset.catalogue, config.views.templates, config.views.include)


def _do_all(
    function: Callable[..., None],
    last_file: str,
    dataset: Dataset,
    trainings: Sequence[Training],
    processes: Workers,
    description: str,
) -> None:
    """Do what is not done yet: `function` leaves `last_file` when it is."""
    shared = Shared(dataset)
    for training in trainings:
        _check_views(dataset, training.config)  # a wrong name costs no training of another variant
    pending = [t for t in trainings if not _is_done(t, last_file, shared)]
    workers = workers_for([t.config for t in pending], processes)
    if workers != 1:  # encoded once here, then every worker reads the dataset's store
        for training in pending:
            shared.features.get(training.config.representation)
        shared.features.clear()
    work = (
        Work(number, training.name, function, plain_values(training.config, training.folder))
        for number, training in enumerate(pending)
    )
    failures: list[str] = []
    with (
        task(description, total=len(trainings)) as progress,
        engine_for(shared, workers) as engine,
    ):
        progress.advance(len(trainings) - len(pending))
        for result in engine.results(work):
            if result.error:
                failures.append(f"{result.name}: {result.error}")
            progress.advance(note=result.name)
    if failures:
        raise CliperError(
            f"{len(failures)} of {len(trainings)} runs failed, the others are done: "
            + "; ".join(failures)
        )


def _is_done(training: Training, last_file: str, shared: Shared) -> bool:
    """True for this very training, finished.

    Raises:
        InputError: the folder holds a run with other settings or data.
    """
    directory = RunDirectory(training.folder)
    if not directory.config_file.is_file():
        return False
    features = shared.features.get(training.config.representation)
    check_identity(directory, experiment_identity(shared.dataset, training.config, features))
    return (training.folder / last_file).is_file()


def workers_for(configs: Sequence[ExperimentConfig], wanted: Workers) -> int | OnRay:
    """The workers to start: as many as wanted, never more than trainings.

    None is for as many as PyTorch has threads: one thread in each of two processes trains more
    than two threads in one. Trainings on an accelerator share it badly, so they go one by one.
    """
    if isinstance(wanted, OnRay):
        return replace(wanted, workers=max(1, min(wanted.workers, len(configs))))
    if wanted is None:
        on_cpu = all(config.training.device == "cpu" for config in configs)
        wanted = torch.get_num_threads() if on_cpu else 1
    return max(1, min(wanted, len(configs)))


def engine_for(shared: Shared, workers: int | OnRay) -> Engine:
    """What trains: this process, or workers that load the dataset each.

    Raises:
        InputError: several for a dataset that lies in no directory.
    """
    if workers == 1:
        return Here(shared)
    if shared.dataset.path is None:
        raise InputError("a dataset in memory cannot be shared", where="processes", remedy="use 1")
    load = partial(_load, str(shared.dataset.path), shared.dataset.hash)
    return Cluster(load, workers) if isinstance(workers, OnRay) else Processes(load, workers)


def _load(path: str, expected_hash: str) -> Shared:
    dataset = Dataset.load(path)
    if dataset.hash != expected_hash:
        raise InputError("the dataset has changed while it was in use", where=path)
    return Shared(dataset)


def plain_values(config: ExperimentConfig, folder: Path) -> dict[str, Any]:
    """A training as it travels between processes."""
    return {"config": config.given(), "folder": str(folder)}


@contextmanager
def opened(shared: Shared, config: Mapping[str, Any], folder: str) -> Iterator[Given]:
    """The arguments of `fit_experiment` or `validate`, of what `plain_values` gave.

    A failure among many is shown in one line; its traceback goes into the run's log.
    """
    experiment, directory = ExperimentConfig.build(config), RunDirectory(Path(folder))
    try:
        features = shared.features.get(experiment.representation)
        yield shared.dataset, experiment, features, directory.path
    except InputError:
        raise
    except Exception:
        if directory.config_file.is_file():
            directory.log(traceback.format_exc())
        raise


def _fit(shared: Shared, config: Mapping[str, Any], folder: str) -> None:
    with opened(shared, config, folder) as training:
        fit_experiment(*training, resume=True)


def _validate(shared: Shared, config: Mapping[str, Any], folder: str) -> None:
    with opened(shared, config, folder) as training:
        validate(*training)
