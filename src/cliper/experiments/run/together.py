"""One training by several workers, each with its part of every batch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from cliper.backbones import backbone_entry
from cliper.data import Dataset
from cliper.errors import CliperError, InputError
from cliper.experiments.run.build import build_training
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.finished import Run
from cliper.experiments.run.fit import already_there, experiment_identity, fit_experiment
from cliper.experiments.run.trainings import Shared, engine_for, opened, plain_values
from cliper.parallel import Engine, OnRay, Work
from cliper.representation.features import ItemFeatures
from cliper.runs import RunDirectory
from cliper.training.ranks import LostRank, Ranks

TRIES = 3
"""How often a worker may be lost."""


def fit_together(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    out: Path,
    where: OnRay,
    *,
    resume: bool = False,
    encode_seconds: float = 0.0,
) -> Run:
    """`fit_experiment` by several workers, which see the folders under the same paths.

    Each has the whole model and a part of every batch; the first one writes the run directory. A
    worker that is lost is begun anew, and all go on from the last checkpoint.

    Args:
        dataset: loaded from a directory.
        config, features, out, resume, encode_seconds: as for `fit_experiment`.
        where: the workers.

    Raises:
        InputError: as from `fit_experiment`, or the model cannot be trained so.
        CliperError: the training failed, or workers were lost too often.
    """
    refuse_apart(config)
    if already_there(RunDirectory(out), experiment_identity(dataset, config, features), resume):
        return Run.load(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with engine_for(Shared(dataset), where) as engine:
        train_by(engine, where.workers, config, out, resume, encode_seconds)
    return Run.load(out)


def refuse_apart(config: ExperimentConfig) -> None:
    """Refuse a model whose batches cannot be worked on in parts.

    Raises:
        InputError: it is one.
    """
    name, backbone = config.backbone_name, backbone_entry(config.backbone_name).backbone
    if not backbone.is_trained:
        what = f"{name} is not trained in batches, there is nothing to share"
    elif not backbone.adds_up:
        what = f"{name}'s loss sees the rows of a batch together, workers cannot share them"
    else:
        return
    raise InputError(what, where="--engine ray", remedy="leave it out")


def train_by(
    engine: Engine,
    count: int,
    config: ExperimentConfig,
    out: Path,
    resume: bool = False,
    encode_seconds: float = 0.0,
) -> None:
    """Train with all of an engine's workers.

    Args:
        engine: of `count` workers with a `Shared` each.
        count: how many.
        config: the settings.
        out: the run directory.
        resume: continue an interrupted training.
        encode_seconds: for the record.

    Raises:
        CliperError: the training failed, or workers were lost too often.
    """
    meetings: list[Path] = []
    lost: set[int] = set()

    def ranks() -> Iterator[Work]:
        """All ranks; once more where one was lost, from the last checkpoint."""
        for turn in range(TRIES):
            meetings.append(out.parent / f".{out.name}.{uuid4().hex}.meeting")
            for rank in range(count):
                given = {
                    **plain_values(config, out),
                    "meeting": str(meetings[-1]),
                    "rank": rank,
                    "count": count,
                    "resume": resume or turn > 0,
                    "encode_seconds": encode_seconds,
                }
                yield Work(turn, f"worker {rank + 1} of {count}", _train, given)
            if turn not in lost:
                return

    try:
        for result in engine.results(ranks()):
            if result.error:
                raise CliperError(f"{result.name}: {result.error}")
            if not result.value:
                lost.add(result.number)
    finally:
        for meeting in meetings:
            meeting.unlink(missing_ok=True)
    if TRIES - 1 in lost:
        raise CliperError(
            f"{TRIES} times a worker was ended from outside, perhaps for lack of memory; "
            "what was trained is kept, --resume goes on"
        )


def _train(
    shared: Shared,
    config: Mapping[str, Any],
    folder: str,
    meeting: str,
    rank: int,
    count: int,
    resume: bool,
    encode_seconds: float,
) -> bool:
    """One worker's part; False where another worker was lost."""
    with opened(shared, config, folder) as (dataset, experiment, features, path):
        try:
            with Ranks(Path(meeting), rank, count) as ranks:
                directory = RunDirectory(path)
                if ranks.told(float(directory.is_finished)):
                    return True
                if ranks.leads:
                    fit_experiment(
                        dataset, experiment, features, path,
                        resume=resume, encode_seconds=encode_seconds, ranks=ranks,
                    )  # fmt: skip
                else:
                    identity = experiment_identity(dataset, experiment, features)
                    build_training(dataset, experiment, features, directory, identity, ranks).run(
                        resume=True
                    )
        except LostRank:
            return False
    return True
