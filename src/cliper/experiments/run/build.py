"""A training is built: split, backbone and loop, as an experiment's settings say."""

import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from cliper import __version__
from cliper.backbones import Backbone, backbone_entry, create_backbone
from cliper.backbones.new_users import final_scorer
from cliper.config import StrictConfig
from cliper.data import Dataset, ItemFields, Split, item_fields
from cliper.experiments.run.config import EvaluationSection, ExperimentConfig
from cliper.experiments.run.split import drawn_users, experiment_split, known_history
from cliper.graphs import neighbour_search
from cliper.graphs.approximate import Searched
from cliper.ranking import Evaluation, evaluate
from cliper.representation.augmented import augmented_users
from cliper.representation.features import ItemFeatures
from cliper.runs import RunDirectory
from cliper.scoring import Scorer
from cliper.training import History, Trainer
from cliper.training.ranks import Ranks


@dataclass(frozen=True)
class BuiltTraining:
    """All that a training needs; nothing has been written yet.

    Attributes:
        directory: where it writes to.
        settings: what `config.yaml` will hold.
        split: training, validation and test.
        backbone: with its initial weights.
        trainer: the loop around it.
        graph_seconds: time that building the backbone took.
        searched: how item graphs are made, and the recall of those that are approximate.
    """

    directory: RunDirectory
    settings: dict[str, Any]
    split: Split
    backbone: Backbone
    trainer: Trainer
    graph_seconds: float
    searched: Searched

    def train(
        self, *, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None
    ) -> History:
        """Train to the end; writes settings, log, checkpoints and `metrics.jsonl`.

        Args:
            resume: continue from the checkpoint if there is one.
            on_epoch: gets each epoch's record, the restored ones first; what it raises ends the
                training.
        """
        directory = self.directory
        directory.path.mkdir(parents=True, exist_ok=True)
        directory.write_config(self.settings)
        directory.log(
            f"{now()} cliper {__version__} {platform.platform()} torch {torch.__version__}"
        )
        directory.log(f"{now()} dropped by the split: {dict(self.split.dropped)}")
        if (tied := self.split.equal_times) > 0:
            directory.log(
                f"{now()} rows that share user and time with another: {tied}, "
                f"their order is drawn by split.seed {self.split.seed}"
            )
        for recall in self.searched.recalls:
            directory.log(f"{now()} approximate item graph: recall {recall:.4f} of a sample")
        training = self.trainer.config
        directory.log(
            f"{now()} batches of {training.batch_size} rows, {self.trainer.sampler.batches} an "
            f"epoch, learning rate {training.learning_rate:g}"
        )
        if self.trainer.ranks is not None:
            count = self.trainer.ranks.count
            directory.log(f"{now()} {count} workers, each takes its part of every batch")
        left_out = self.trainer.sampler.left_out
        directory.log(f"{now()} rows without a possible negative: {left_out}")
        with directory.metrics_file.open("w", encoding="utf-8") as metrics:

            def record_epoch(record: dict[str, Any]) -> None:
                metrics.write(json.dumps(record) + "\n")
                metrics.flush()
                if on_epoch is not None:
                    on_epoch(record)

            return self.run(resume=resume, on_epoch=record_epoch)

    def run(
        self, *, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None
    ) -> History:
        """The same, but of files the checkpoint alone."""
        with neighbour_search(self.searched.kind) as again:  # LATTICE makes graphs anew
            history = self.trainer.fit(resume=resume, on_epoch=on_epoch)
        self.searched.recalls.extend(again.recalls)
        return history


def build_training(
    dataset: Dataset,
    config: ExperimentConfig,
    features: ItemFeatures | None,
    directory: RunDirectory,
    identity: str,
    ranks: Ranks | None = None,
) -> BuiltTraining:
    """Split the data and build the backbone and its loop.

    Args:
        dataset: the prepared data.
        config: everything else that determines the run.
        features: what `represent` made of the catalogue.
        directory: where the run is written to.
        identity: of the run (`experiment_identity`).
        ranks: the processes that train it together, for the one of them that this is.

    Raises:
        InputError: the settings do not fit the data.
    """
    split = experiment_split(dataset, config)
    if features is not None:
        features.check_training(split.train)
    reads_users = "augmentation" in backbone_entry(config.backbone_name).backbone.extra_inputs
    start = time.perf_counter()
    with neighbour_search(config.graphs.neighbours) as searched:
        backbone = create_backbone(
            config.backbone_name,
            split.train,
            features,
            config.backbone_options,
            config.training.seed,
            _fields(dataset, config.backbone_name),
            augmented_users(dataset, config.representation, split) if reads_users else None,
        )
    seconds = time.perf_counter() - start

    def validate(model: Backbone) -> Evaluation:
        return evaluate_part(model, config.own_settings, split, "valid", config.evaluation)

    trainer = Trainer(
        backbone,
        split.train,
        config.training,
        validate,
        checkpoint=directory.checkpoint_file,
        identity=identity,
        ranks=ranks,
    )
    settings = {**config.resolved(), "identity": identity}
    return BuiltTraining(directory, settings, split, backbone, trainer, seconds, searched)


@torch.inference_mode()
def evaluate_part(
    backbone: Backbone,
    settings: StrictConfig,
    split: Split,
    part: str,
    evaluation: EvaluationSection,
) -> Evaluation:
    """Rank validation or test with the backbone as it is, in evaluation mode."""
    backbone.eval()
    is_test = part == "test"
    history = known_history(split, evaluation.mask) if is_test else split.train
    scorer = final_scorer(backbone, settings, split.train, history, split.given)
    return score_part(scorer, split, part, evaluation)


def score_part(
    scorer: Scorer,
    split: Split,
    part: str,
    evaluation: EvaluationSection,
) -> Evaluation:
    """Rank validation or test with a final scorer; test may mask validation too.

    Validation is of `valid_users` users at most, test of everyone.
    """
    is_test = part == "test"
    candidates = split.test_candidates if is_test else split.valid_candidates
    return evaluate(
        scorer,
        split.test if is_test else drawn_users(split.valid, evaluation.valid_users, split.seed),
        train=split.taken,
        valid=split.valid if is_test and evaluation.mask == "train+valid" else None,
        candidates=candidates if evaluation.candidates == "split" else None,
        ks=evaluation.k,
        chunk_size=evaluation.chunk_size,
    )


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _fields(dataset: Dataset, backbone: str) -> ItemFields | None:
    wanted = "fields" in backbone_entry(backbone).backbone.extra_inputs
    return item_fields(dataset.catalogue) if wanted and dataset.catalogue is not None else None
