"""The one training loop: every backbone, the same steps, the same rule to stop."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cliper.backbones import Backbone, Batch
from cliper.data import Interactions
from cliper.devices import available_device
from cliper.errors import CliperError, InputError
from cliper.files import as_written
from cliper.progress import task
from cliper.ranking import Evaluation
from cliper.tensor_files import load_tensors, save_tensors
from cliper.training.config import TrainingConfig
from cliper.training.optimizer import Adam
from cliper.training.ranks import Ranks
from cliper.training.sampler import UniformSampler

_RESTART = "start again without --resume"
SELECT_BY = "recall@20"
Metrics = dict[str, float]


@dataclass
class History:
    """What happened so far; the best epoch is the one whose parameters are kept."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best: Metrics = field(default_factory=dict)
    since_best: int = 0

    @property
    def epochs_run(self) -> int:
        """Finished epochs."""
        return len(self.epochs)

    def median(self, key: str) -> float:
        """Median of a timing over the epochs that have it; 0 where none has."""
        values = [e[key] for e in self.epochs if key in e]
        return statistics.median(values) if values else 0.0


class Trainer:
    """Trains a backbone until validation stops improving and leaves it at its best epoch.

    Adam (fused), uniform negatives, selection on validation Recall@20 alone, early stop after
    `patience` validations and `patience_distance` / learning rate steps without improvement. A
    training that is killed and resumed from its checkpoint ends in the same bytes as one that was
    not (on one machine's CPU).

    Args:
        backbone: the model; moved to `config.device`.
        train: the training interactions.
        config: the loop's settings; `self.config` has the number that an `auto` comes to.
        validate: validation metrics of the backbone as it is; must contain `recall@20`. Of an
            `Evaluation` the standard errors are recorded too.
        checkpoint: file that the state is kept in while training; None for no checkpoints.
        identity: what the checkpoint belongs to; a resume with another identity is refused.
        ranks: the processes that train the model together; each has a trainer of the same
            arguments, and the first one alone validates and keeps checkpoints.

    Raises:
        InputError: the device is not there.
    """

    def __init__(
        self,
        backbone: Backbone,
        train: Interactions,
        config: TrainingConfig,
        validate: Callable[[Backbone], Metrics | Evaluation],
        *,
        checkpoint: Path | None = None,
        identity: str = "",
        ranks: Ranks | None = None,
    ) -> None:
        available_device(config.device, where="training.device")
        self.backbone, self._validate = backbone.to(config.device), validate
        self.config = config.sized(len(train), backbone.costs_by_step)
        self.checkpoint, self.identity, self.ranks = checkpoint, identity, ranks
        self.sampler = UniformSampler(
            train,
            self.config.batch_size,
            np.random.default_rng([config.seed, 1]),
            by_user=backbone.by_sequence,
        )
        self.generator = torch.Generator().manual_seed(config.seed)
        self.history = History()
        self.best_parameters: dict[str, Tensor] = {}
        has_any = next(iter(backbone.parameters()), None) is not None
        self.optimizer = Adam(self.backbone, self.config) if has_any else None

    def fit(
        self, *, resume: bool = False, on_epoch: Callable[[dict[str, Any]], None] | None = None
    ) -> History:
        """Train to the end.

        Args:
            resume: continue from the checkpoint if there is one.
            on_epoch: called with each epoch's record, in order, the restored ones first.

        Raises:
            CliperError: the loss is not finite.
            InputError: the checkpoint belongs to another experiment, or nothing can be learnt.
        """
        if self.optimizer is None or not self.backbone.is_trained:
            self.history.best, _ = self._measure()
            return self.history
        if not self.sampler.batches:
            raise InputError(
                f"none of the {self.sampler.left_out} training rows has a possible negative: every "
                "user took every item",
                where="training",
                remedy="use more interactions, or --backbone popularity",
            )
        if resume and self.checkpoint is not None and self.checkpoint.exists():
            self._restore(self.checkpoint)
        if self.ranks is not None:
            self.ranks.same(self.backbone.parameters())
        for record in self.history.epochs:
            if on_epoch:
                on_epoch(record)
        # The first checkpoint comes early, the next ones as often as asked for.
        saved_at = time.monotonic() - max(0.0, self.config.checkpoint_seconds - 5)
        name = type(self.backbone).__name__
        with task(f"training {name}", total=self.config.max_epochs) as progress:
            progress.advance(self.history.epochs_run)
            while not self._finished():
                record = self._epoch()
                if on_epoch:
                    on_epoch(record)
                progress.advance(note=self._note(record))
                if time.monotonic() - saved_at >= self.config.checkpoint_seconds:
                    self._save()
                    saved_at = time.monotonic()
        if self.best_parameters:
            self.backbone.load_state_dict(self.best_parameters)
        else:  # no epoch at all: the untrained model is what there is
            self.history.best, _ = self._measure()
        return self.history

    def _measure(self) -> tuple[Metrics, Metrics]:
        """Validation metrics of the backbone as it is, and their standard errors if known."""
        if self.ranks is not None and not self.ranks.leads:
            return {SELECT_BY: self.ranks.told(0.0)}, {}
        found = self._validate(self.backbone)
        if self.ranks is not None:
            self.ranks.told((found.metrics if isinstance(found, Evaluation) else found)[SELECT_BY])
        if isinstance(found, Evaluation):
            return dict(found.metrics), found.errors
        return found, {}

    def _finished(self) -> bool:
        history = self.history
        if history.epochs_run >= self.config.max_epochs:
            return True
        steps = (history.epochs_run - history.best_epoch) * self.sampler.batches
        return not self.config.is_patient(history.since_best, steps)

    def _epoch(self) -> dict[str, Any]:
        start = time.perf_counter()
        losses = self._train_epoch()
        trained = time.perf_counter()
        epoch = self.history.epochs_run + 1
        record: dict[str, Any] = {"epoch": epoch, "loss": losses, "seconds": trained - start}
        if epoch % self.config.validate_every == 0 or epoch == self.config.max_epochs:
            metrics, errors = self._measure()
            record |= {"valid": metrics, "seconds_valid": time.perf_counter() - trained}
            if errors:
                record["valid_error"] = errors
            self._keep_if_best(epoch, metrics)
        self.history.epochs.append(record)
        return record

    def _train_epoch(self) -> dict[str, float]:
        assert self.optimizer is not None
        self.backbone.train()
        self.backbone.on_epoch_start(self.generator)
        totals: dict[str, Tensor] = {}
        for batch in self.sampler.epoch(self.config.device):
            terms = self._terms(batch)
            self.optimizer.zero_grad()
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            if self.ranks is not None:
                self.ranks.add_up(self.backbone.parameters())
            self.optimizer.step()
            for name, term in terms.items():
                totals[name] = totals.get(name, 0) + term.detach()
        if self.ranks is not None:
            totals = self.ranks.sums(totals)
        means = {name: float(total) / self.sampler.batches for name, total in totals.items()}
        if not np.isfinite(list(means.values())).all():
            raise CliperError(
                f"the loss is not finite in epoch {self.history.epochs_run + 1}: {means}; "
                f"try a lower training.learning_rate than {self.config.learning_rate:g}"
            )
        return means

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of a batch, or of this process's part times its share of the rows."""
        if self.ranks is None:
            return self.backbone.loss(batch)
        part, share = self.ranks.part(batch)
        return {name: term * share for name, term in self.backbone.loss(part).items()}

    def _keep_if_best(self, epoch: int, metrics: Metrics) -> None:
        history = self.history
        if history.best and metrics[SELECT_BY] <= history.best[SELECT_BY]:
            history.since_best += 1
            return
        history.best_epoch, history.best, history.since_best = epoch, metrics, 0
        state = self.backbone.state_dict()
        for name, tensor in state.items():  # into the same memory every time
            if name in self.best_parameters:
                self.best_parameters[name].copy_(tensor)
            else:
                self.best_parameters[name] = tensor.detach().clone()

    def _note(self, record: dict[str, Any]) -> str:
        loss = sum(record["loss"].values())
        valid = record.get("valid", {}).get(SELECT_BY)
        shown = f" {SELECT_BY} {valid:.4f}" if valid is not None else ""
        best = f" (best {self.history.best[SELECT_BY]:.4f})" if self.history.best else ""
        return f"loss {loss:.4f}{shown}{best}"

    def _save(self) -> None:
        if self.checkpoint is None or self.optimizer is None:
            return
        if self.ranks is not None and not self.ranks.leads:
            return
        tensors = {f"model/{k}": v for k, v in self.backbone.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best_parameters.items()}
        tensors |= self.optimizer.tensors()
        tensors["generator"] = self.generator.get_state()
        history = self.history
        state = {
            "identity": self.identity,
            "epochs": history.epochs,
            "best_epoch": history.best_epoch,
            "best": history.best,
            "since_best": history.since_best,
            "sampler": self.sampler.generator.bit_generator.state,
        }
        save_tensors(self.checkpoint, tensors, state)

    def _restore(self, path: Path) -> None:
        assert self.optimizer is not None
        tensors, state = load_tensors(path, _RESTART)
        with as_written(path, _RESTART):
            if state["identity"] != self.identity:
                raise InputError(
                    "the checkpoint belongs to another dataset or configuration",
                    where=str(path),
                    remedy=f"resume with the settings in config.yaml, or {_RESTART}",
                )

            def part(prefix: str) -> dict[str, Tensor]:
                return {
                    k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)
                }

            self.backbone.load_state_dict(part("model/"))
            self.best_parameters = {k: v.to(self.config.device) for k, v in part("best/").items()}
            self.optimizer.restore(tensors)
            self.generator.set_state(tensors["generator"])
            self.sampler.generator.bit_generator.state = state["sampler"]
            self.history = History(
                state["epochs"], state["best_epoch"], state["best"], state["since_best"]
            )
