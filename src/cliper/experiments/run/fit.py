"""One training from data to a run directory."""

import hashlib
import json
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from cliper import __version__
from cliper.backbones import backbone_entry
from cliper.backbones.new_users import final_scorer
from cliper.data import Dataset, Split
from cliper.errors import InputError
from cliper.experiments.run.build import BuiltTraining, build_training, now, score_part
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.run.finished import Run
from cliper.experiments.run.made_with import made_with
from cliper.experiments.run.split import known_history
from cliper.experiments.run.tracking import tracked
from cliper.files import LOCK_FILE, atomic_path, locked
from cliper.ranking import Evaluation
from cliper.representation.features import ItemFeatures, memory_of
from cliper.runs import DatasetFacts, FeatureFacts, Mask, Protocol, Results, RunDirectory, Seconds
from cliper.training import History
from cliper.training.config import BATCH
from cliper.training.ranks import Ranks


def fit_experiment(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    out: Path,
    *,
    resume: bool = False,
    encode_seconds: float = 0.0,
    ranks: Ranks | None = None,
) -> Run:
    """Split, build, train, score the test split once, and write the run directory.

    Args:
        dataset: the prepared data.
        config: everything else that determines the run.
        features: what `represent` made of the catalogue; None for a feature-free backbone.
        out: the run directory; must be new or empty unless `resume`.
        resume: continue an interrupted training; a finished run is returned as it is.
        encode_seconds: time that `represent` took, for the record.
        ranks: the processes that train the model together, of which this is the first.

    Raises:
        InputError: `out` holds something else, another command trains there, or the settings do
            not fit the data.
    """
    start = time.perf_counter()
    directory = RunDirectory(out)
    identity = experiment_identity(dataset, config, features)
    if already_there(directory, identity, resume):
        return Run.load(out)
    with locked(out, "trains"):
        if already_there(directory, identity, resume):  # another command was quicker
            return Run.load(out)
        ready = build_training(dataset, config, features, directory, identity, ranks)
        with tracked(config.tracking, directory.path, identity, ready.settings) as trackers:

            def on_epoch(record: dict[str, Any]) -> None:
                for tracker in trackers:
                    tracker.epoch(record)

            history = ready.train(resume=resume, on_epoch=on_epoch)
            results = _finish(dataset, config, features, ready, history, start, encode_seconds)
            for tracker in trackers:
                tracker.finish(results)
        directory.write_results(results)
        directory.checkpoint_file.unlink(missing_ok=True)
        directory.log(f"{now()} done: {results.epochs_run} epochs, best {results.best_epoch}")
        return Run(out, results)


def _finish(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    ready: BuiltTraining,
    history: History,
    start: float,
    encode_seconds: float,
) -> Results:
    """Score the test split once and write all but `results.json`."""
    split, backbone, directory = ready.split, ready.backbone, ready.directory
    backbone.eval()
    with torch.inference_mode():
        own_settings, train = config.own_settings, split.train
        scorers = {
            mask: final_scorer(
                backbone, own_settings, train, known_history(split, mask), split.given
            )
            for mask in get_args(Mask)
        }
    own = scorers[config.evaluation.mask]
    test = score_part(own, split, "test", config.evaluation)
    everything = None
    if split.test_candidates is not None and config.evaluation.candidates == "split":
        among_all = config.evaluation.model_copy(update={"candidates": "all"})
        everything = dict(score_part(own, split, "test", among_all).metrics)
    directory.write_model(backbone.state_dict(), scorers, config.evaluation.mask)
    _write_artefact(directory, split, test)
    if dataset.catalogue is not None:
        directory.write_items(dataset.catalogue)
    seconds = Seconds(
        encode=encode_seconds,
        prepare_graphs=ready.graph_seconds,
        train_epoch_median=history.median("seconds"),
        evaluate_valid_median=history.median("seconds_valid"),
        total=time.perf_counter() - start + encode_seconds,
    )
    return _results(dataset, config, features, ready, history, test, everything, seconds)


def experiment_identity(
    dataset: Dataset, config: ExperimentConfig, features: ItemFeatures | None
) -> str:
    """Hash of all that the outcome depends on: data, settings (not the path), features.

    Raises:
        InputError: the dataset has changed since it was prepared.
    """
    dataset.check()
    tree = config.resolved()
    tree["dataset"] = dataset.hash
    tree["training"].pop("checkpoint_seconds")
    by_step = backbone_entry(config.backbone_name).backbone.costs_by_step
    if config.training.sized(len(dataset.interactions), by_step).batch_size == BATCH:
        tree["training"]["batch_size"] = BATCH  # whether by number or by `auto`: the same training
    tree.pop("tracking", None)
    for where_from in ("allow_download", "weights"):  # what was loaded shows in the features
        tree.get("encoder", {}).pop(where_from, None)
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode())
    if features is not None:
        for modality in features.modalities:
            digest.update(memory_of(features.tables[modality]))
    return digest.hexdigest()


def is_vacant(path: Path) -> bool:
    """Nothing is there but what a killed write may have left half-done."""
    return not path.exists() or all(
        entry.name.endswith(".part") or entry.name == LOCK_FILE for entry in path.iterdir()
    )


def already_there(directory: RunDirectory, identity: str, resume: bool) -> bool:
    """True for this very run, finished; refuse what is not this run.

    Raises:
        InputError: the directory holds something else, or `resume` was not asked for.
    """
    path = directory.path
    if is_vacant(path):
        return False
    if not directory.config_file.is_file():
        raise InputError("is not empty and holds no run", where=str(path), remedy="choose another")
    if not resume:
        state = "a finished run" if directory.is_finished else "an unfinished run"
        raise InputError(
            f"holds {state}", where=str(path), remedy="add --resume, or choose another --out"
        )
    if directory.read_config().get("identity") != identity:
        raise InputError(
            "holds a run with other settings or data",
            where=str(path),
            remedy="resume with the settings in its config.yaml, or choose another --out",
        )
    return directory.is_finished


def _write_artefact(directory: RunDirectory, split: Split, test: Evaluation) -> None:
    directory.write_vocabulary(split.train, [split.taken, split.valid])
    columns: Mapping[str, Any] = {"user_index": test.users, **test.per_user}
    with atomic_path(directory.path / "test_per_user.parquet") as temporary:
        pq.write_table(pa.table(columns), temporary)


def _results(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    ready: BuiltTraining,
    history: History,
    test: Evaluation,
    everything: dict[str, float] | None,
    seconds: Seconds,
) -> Results:
    split = ready.split
    facts = FeatureFacts(kind="none")
    if features is not None:
        facts = FeatureFacts(
            kind=features.kind,
            encoder=features.encoder,
            views=list(features.views),
            fusion=features.fusion,
            temperature="inf" if features.temperature == float("inf") else features.temperature,
            threshold=features.threshold,
            weights=dict(features.weights or {}),
            touched=dict(features.touched or {}),
        )
    among = split.test_candidates is not None and config.evaluation.candidates == "split"
    return Results(
        schema=1,
        cliper_version=__version__,
        created=now(),
        dataset=DatasetFacts(
            name=dataset.name,
            hash=dataset.hash,
            users=len(dataset.users),
            items=len(dataset.items),
            train=len(split.train),
            valid=len(split.valid),
            test=len(split.test),
            dropped={**split.dropped, **_left_out(split, ready.trainer.sampler.left_out)},
        ),
        protocol=Protocol(
            split=split.kind,
            mask=config.evaluation.mask,
            k=config.evaluation.k,
            seed=split.seed,
            candidates="cold" if among else "all",
        ),
        backbone=config.backbone_name,
        features=facts,
        config=config.resolved(),
        epochs_run=history.epochs_run,
        best_epoch=history.best_epoch,
        seconds=seconds,
        peak_memory_mb=peak_memory_mb(),
        valid=history.best,
        test=dict(test.metrics),
        test_all=everything or {},
        neighbour_recall=ready.searched.recalls,
        made_with=made_with(features, ready.directory),
    )


def _left_out(split: Split, without_negative: int) -> dict[str, int]:
    """Training rows that were not trained on, by reason."""
    withheld = 0 if split.withheld is None else len(split.withheld)
    counts = {"no negative to draw": without_negative, "withheld by split.train_share": withheld}
    return {reason: count for reason, count in counts.items() if count}


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
