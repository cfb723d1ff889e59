"""Settings trained and validated, never tested: what a search sees of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.run.build import build_training
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.fit import experiment_identity
from cliper.files import as_written, read_json, sweep, write_json
from cliper.representation.features import ItemFeatures
from cliper.runs import RunDirectory
from cliper.training.trainer import SELECT_BY

FILE = "validation.json"
OnValidation = Callable[[int, float], bool]


@dataclass(frozen=True)
class Validation:
    """What validation said of a training.

    Attributes:
        valid: metrics of the best epoch, fractions.
        best_epoch, epochs_run: of the training.
        pruned: it was broken off because others did better.
        train_seconds: of all its epochs, validations included.
    """

    valid: dict[str, float]
    best_epoch: int
    epochs_run: int
    pruned: bool
    train_seconds: float

    @property
    def value(self) -> float:
        """What searches maximise: validation Recall@20."""
        return self.valid[SELECT_BY]


def validate(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    folder: Path,
    on_validation: OnValidation = lambda epoch, value: True,
) -> Validation:
    """Train and validate; what is finished in `folder` is returned, what was interrupted goes on.

    Args:
        dataset, config, features: as in `fit_experiment`.
        folder: gets `config.yaml`, `metrics.jsonl`, and `validation.json` at the end.
        on_validation: gets (epoch, Recall@20) of every validation in order, also of those before
            an interruption; False ends the training.

    Raises:
        InputError: `folder` holds a training with other settings or data.
    """
    directory = RunDirectory(folder)
    identity = experiment_identity(dataset, config, features)
    check_identity(directory, identity)
    if (folder / FILE).is_file():
        for record in directory.read_metrics():
            if "valid" in record:
                on_validation(record["epoch"], record["valid"][SELECT_BY])
        return read_validation(folder)
    training = build_training(dataset, config, features, directory, identity)
    pruned = False

    def on_epoch(record: dict[str, Any]) -> None:
        if "valid" in record and not on_validation(record["epoch"], record["valid"][SELECT_BY]):
            raise _BrokenOff

    try:
        training.train(resume=True, on_epoch=on_epoch)
    except _BrokenOff:
        pruned = True
    history = training.trainer.history
    spent = sum(e["seconds"] + e.get("seconds_valid", 0.0) for e in history.epochs)
    done = Validation(history.best, history.best_epoch, history.epochs_run, pruned, spent)
    write_json(folder / FILE, asdict(done))
    directory.checkpoint_file.unlink(missing_ok=True)
    sweep(folder)  # what a worker that was killed had half-written of one
    return done


def read_validation(folder: Path) -> Validation:
    """What `validate` left in a folder.

    Raises:
        InputError: it is not finished.
    """
    with as_written(folder / FILE, "delete this folder and search again"):
        found = Validation(**read_json(folder / FILE))
        float(found.value)
        return found


def check_identity(directory: RunDirectory, identity: str) -> None:
    """Refuse a folder that holds a training with other settings or data.

    Raises:
        InputError: it does.
    """
    if directory.config_file.is_file() and directory.read_config().get("identity") != identity:
        raise InputError(
            "holds a run with other settings or data",
            where=str(directory.path),
            remedy="choose another --out",
        )


class _BrokenOff(Exception):
    """Raised through the training loop to end it."""
