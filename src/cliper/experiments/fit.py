"""One training from data to a run directory."""

import hashlib
import json
import platform
import resource
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from cliper import __version__
from cliper.backbones import Backbone, backbone_entry, create_backbone
from cliper.data import Dataset, ItemFields, Split, item_fields
from cliper.errors import InputError
from cliper.experiments.config import EvaluationSection, ExperimentConfig
from cliper.experiments.run import Run
from cliper.experiments.split import experiment_split, known_history
from cliper.files import atomic_path
from cliper.ranking import Evaluation, evaluate
from cliper.representation.features import ItemFeatures
from cliper.runs import DatasetFacts, FeatureFacts, Protocol, Results, RunDirectory, Seconds
from cliper.scoring import Scorer
from cliper.training import History, Trainer


def fit_experiment(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    out: Path,
    *,
    resume: bool = False,
    encode_seconds: float = 0.0,
) -> Run:
    """Split, build, train, score the test split once, and write the run directory.

    Args:
        dataset: the prepared data.
        config: everything else that determines the run.
        features: what `represent` made of the catalogue; None for a feature-free backbone.
        out: the run directory; must be new or empty unless `resume`.
        resume: continue an interrupted training; a finished run is returned as it is.
        encode_seconds: time that `represent` took, for the record.

    Raises:
        InputError: `out` holds something else, or the settings do not fit the data.
    """
    start = time.perf_counter()
    directory = RunDirectory(out)
    identity = experiment_identity(dataset, config, features)
    if _already_there(directory, identity, resume):
        return Run.load(out)
    split = experiment_split(dataset, config)
    graphs = time.perf_counter()
    backbone = create_backbone(
        config.backbone_name,
        split.train,
        features,
        config.backbone_options,
        config.training.seed,
        _fields(dataset, config.backbone_name),
    )
    graph_seconds = time.perf_counter() - graphs

    def validate(model: Backbone) -> dict[str, float]:
        return dict(evaluate_part(model, split, "valid", config.evaluation).metrics)

    trainer = Trainer(
        backbone,
        split.train,
        config.training,
        validate,
        checkpoint=directory.checkpoint_file,
        identity=identity,
    )
    # Nothing is written before the settings have proved that they fit the data.
    out.mkdir(parents=True, exist_ok=True)
    directory.write_config({**config.resolved(), "identity": identity})
    directory.log(f"{_now()} cliper {__version__} {platform.platform()} torch {torch.__version__}")
    directory.log(f"{_now()} dropped by the split: {dict(split.dropped)}")
    directory.log(f"{_now()} rows without a possible negative: {trainer.sampler.left_out}")
    with directory.metrics_file.open("w", encoding="utf-8") as metrics:

        def on_epoch(record: dict[str, Any]) -> None:
            metrics.write(json.dumps(record) + "\n")
            metrics.flush()

        history = trainer.fit(resume=resume, on_epoch=on_epoch)

    test = evaluate_part(backbone, split, "test", config.evaluation)
    everything = None
    if split.test_candidates is not None and config.evaluation.candidates == "split":
        among_all = config.evaluation.model_copy(update={"candidates": "all"})
        everything = dict(evaluate_part(backbone, split, "test", among_all).metrics)
    with torch.inference_mode():
        scorer = backbone.scorer(known_history(split, config.evaluation))
    _write_artefact(directory, backbone, scorer, split, test)
    results = _results(
        dataset,
        config,
        features,
        split,
        history,
        test,
        everything,
        trainer.sampler.left_out,
        Seconds(
            encode=encode_seconds,
            prepare_graphs=graph_seconds,
            train_epoch_median=history.median("seconds"),
            evaluate_valid_median=history.median("seconds_valid"),
            total=time.perf_counter() - start + encode_seconds,
        ),
    )
    directory.write_results(results)
    directory.checkpoint_file.unlink(missing_ok=True)
    directory.log(f"{_now()} done: {results.epochs_run} epochs, best {results.best_epoch}")
    return Run(out, results)


def _fields(dataset: Dataset, backbone: str) -> ItemFields | None:
    wanted = "fields" in backbone_entry(backbone).backbone.extra_inputs
    return item_fields(dataset.catalogue) if wanted and dataset.catalogue is not None else None


def experiment_identity(
    dataset: Dataset, config: ExperimentConfig, features: ItemFeatures | None
) -> str:
    """Hash of all that the outcome depends on: data, settings (not the path), features."""
    tree = config.resolved()
    tree["dataset"] = dataset.hash
    tree["training"].pop("checkpoint_seconds")
    for where_from in ("allow_download", "weights"):  # what was loaded shows in the features
        tree.get("encoder", {}).pop(where_from, None)
    digest = hashlib.sha256(json.dumps(tree, sort_keys=True).encode())
    if features is not None:
        for modality in features.modalities:
            digest.update(features.tables[modality].contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def evaluate_part(
    backbone: Backbone, split: Split, part: str, evaluation: EvaluationSection
) -> Evaluation:
    """Rank validation or test with the backbone as it is, in evaluation mode."""
    backbone.eval()
    is_test = part == "test"
    history = known_history(split, evaluation) if is_test else split.train
    return score_part(backbone.scorer(history), split, part, evaluation)


def score_part(
    scorer: Scorer,
    split: Split,
    part: str,
    evaluation: EvaluationSection,
) -> Evaluation:
    """Rank validation or test with a final scorer; test may mask validation too."""
    is_test = part == "test"
    candidates = split.test_candidates if is_test else split.valid_candidates
    return evaluate(
        scorer,
        split.test if is_test else split.valid,
        train=split.taken,
        valid=split.valid if is_test and evaluation.mask == "train+valid" else None,
        candidates=candidates if evaluation.candidates == "split" else None,
        ks=evaluation.k,
        chunk_size=evaluation.chunk_size,
    )


def is_vacant(path: Path) -> bool:
    """Nothing is there but what a killed write may have left half-done."""
    return not path.exists() or all(entry.name.endswith(".part") for entry in path.iterdir())


def _already_there(directory: RunDirectory, identity: str, resume: bool) -> bool:
    """True for this very run, finished; refuse what is not this run."""
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


def _write_artefact(
    directory: RunDirectory, backbone: Backbone, scorer: Scorer, split: Split, test: Evaluation
) -> None:
    directory.write_model(backbone.state_dict(), scorer)
    directory.write_vocabulary(split.train, [split.taken, split.valid])
    columns: Mapping[str, Any] = {"user_index": test.users, **test.per_user}
    with atomic_path(directory.path / "test_per_user.parquet") as temporary:
        pq.write_table(pa.table(columns), temporary)


def _results(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    split: Split,
    history: History,
    test: Evaluation,
    everything: dict[str, float] | None,
    left_out: int,
    seconds: Seconds,
) -> Results:
    facts = FeatureFacts(kind="none")
    if features is not None:
        facts = FeatureFacts(
            kind=features.kind,
            encoder=features.encoder,
            views=list(features.views),
            fusion=features.fusion,
            temperature="inf" if features.temperature == float("inf") else features.temperature,
            threshold=features.threshold,
            touched=dict(features.touched or {}),
        )
    among = split.test_candidates is not None and config.evaluation.candidates == "split"
    return Results(
        schema=1,
        cliper_version=__version__,
        created=_now(),
        dataset=DatasetFacts(
            name=dataset.name,
            hash=dataset.hash,
            users=len(dataset.users),
            items=len(dataset.items),
            train=len(split.train),
            valid=len(split.valid),
            test=len(split.test),
            dropped={**split.dropped, **_left_out(split, left_out)},
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


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
