"""One experiment from its settings: load, represent, fit."""

import time
from pathlib import Path

from cliper.data import Dataset
from cliper.encoders.encode_report import EncodeReport
from cliper.errors import InputError
from cliper.experiments.drawing.adaptation import with_figure
from cliper.experiments.run.build import score_part
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.finished import Run
from cliper.experiments.run.fit import fit_experiment, is_vacant
from cliper.experiments.run.split import experiment_split
from cliper.experiments.run.together import fit_together, refuse_apart
from cliper.parallel import OnRay
from cliper.ranking import Evaluation
from cliper.representation.represent import represent_dataset
from cliper.runs import RunDirectory


def run_experiment(
    config: ExperimentConfig,
    out: Path,
    *,
    resume: bool = False,
    dataset: Dataset | None = None,
    where: OnRay | None = None,
) -> Run:
    """Do everything that the settings say and leave a run directory at `out`.

    Args:
        config: the settings.
        out: the run directory.
        resume: continue an interrupted run, or return a finished one.
        dataset: `config.dataset.path`, loaded, where the caller has it already.
        where: workers that train together, each with its part of every batch; None for this
            process alone.
    """
    if where is not None:
        refuse_apart(config)
    if not resume and not is_vacant(out):
        raise InputError(
            "is not empty", where=str(out), remedy="add --resume, or choose another --out"
        )
    dataset = dataset or Dataset.load(config.dataset.path)
    experiment_split(dataset, config)  # one that the data cannot have costs no encoding
    start = time.perf_counter()
    reports: list[EncodeReport] = []
    features = represent_dataset(dataset, config.representation, with_figure(reports.append))
    seconds = time.perf_counter() - start
    if where is None:
        run = fit_experiment(dataset, config, features, out, resume=resume, encode_seconds=seconds)
    else:
        run = fit_together(
            dataset, config, features, out, where, resume=resume, encode_seconds=seconds
        )
    for report in reports:
        run.directory.log(f"encoding: {report}")
    return run


def load_config(run: RunDirectory) -> ExperimentConfig:
    """The settings that a run directory was made with."""
    tree = run.read_config()
    tree.pop("identity", None)
    return ExperimentConfig.build(tree)


def dataset_of(run: Run, config: ExperimentConfig) -> Dataset:
    """The dataset that a run was trained on.

    Raises:
        InputError: it is not there, or has changed since.
    """
    dataset = Dataset.load(config.dataset.path)
    if dataset.hash != run.results.dataset.hash:
        raise InputError(
            "the dataset has changed since this run",
            where=config.dataset.path,
            remedy="train again, or prepare the dataset as it was",
        )
    return dataset


def evaluate_run(
    path: Path, *, mask: str | None = None, candidates: str | None = None
) -> tuple[Run, Evaluation]:
    """Score a run's test split again from the saved representations.

    A model that goes on from a history reads what the mask asked for says has happened.

    Args:
        path: the run directory; its dataset must still be where `config.yaml` says.
        mask, candidates: another protocol than the run's own.

    Raises:
        InputError: no finished run, or the dataset has changed since.
    """
    run = Run.load(path)
    config = load_config(run.directory)
    dataset = dataset_of(run, config)
    update = {k: v for k, v in (("mask", mask), ("candidates", candidates)) if v is not None}
    evaluation = type(config.evaluation).parse(
        {**config.evaluation.model_dump(), **update}, where="evaluation"
    )
    split = experiment_split(dataset, config)
    is_own = evaluation.mask == config.evaluation.mask
    scorer = run.directory.read_scorer(None if is_own else evaluation.mask)
    return run, score_part(scorer, split, "test", evaluation)
