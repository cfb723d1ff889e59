"""The trials of one search, in Optuna's journal: whole after a kill at any moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from cliper.experiments.attempt import Attempt
from cliper.experiments.search.sampler import NumberedSampler
from cliper.experiments.search.space import Choice, Range, Space
from cliper.files import locked

PrunerKind = Literal["median", "halving", "none"]
JOURNAL = "study.journal"
NAME = "search"


class TrialLedger:
    """Hands out trials and takes their results.

    A trial that was under way when an earlier process died is handed out again first, under its
    number and with its parameters.

    Args:
        study: Optuna's.
        storage: where it is kept.
        space: what is searched.
        trials: how many there will be.
    """

    def __init__(
        self, study: optuna.Study, storage: JournalStorage, space: Space, trials: int
    ) -> None:
        self.study, self._storage, self._space, self._trials = study, storage, space, trials
        self._open: dict[int, Trial] = {}
        self._reported: dict[int, int] = {}  # the last step before an interruption
        running = study.get_trials(states=(TrialState.RUNNING,))
        self._stale = [trial.number for trial in running]

    @property
    def left(self) -> int:
        """How many are to be done yet."""
        return self._trials - len(self.finished())

    def finished(self) -> list[FrozenTrial]:
        """What is done, by number."""
        return [t for t in self.study.get_trials(deepcopy=False) if t.state.is_finished()]

    def next(self) -> tuple[int, dict[str, Any]] | None:
        """A trial's number and parameters; None when there are no more."""
        if self._stale:
            trial = self._reopen(self._stale.pop(0))
        elif len(self.study.get_trials(deepcopy=False)) >= self._trials:
            return None
        else:
            trial = self.study.ask()
        for key, one in self._space.items():
            _suggest(trial, key, one)
        self._open[trial.number] = trial
        return trial.number, dict(trial.params)

    def report(self, number: int, step: int, value: float) -> bool:
        """Note a validation; the answer is whether the trial should go on."""
        trial = self._open[number]
        before = self._reported.get(number, -1)
        if step > before:
            trial.report(value, step)
        # An earlier process has decided on the steps before its last one: to go on.
        return step < before or not trial.should_prune()

    def finish(self, number: int, attempt: Attempt) -> None:
        """Close a trial with what validation said."""
        trial = self._open.pop(number)
        for key in ("best_epoch", "epochs_run", "train_seconds"):
            trial.set_user_attr(key, getattr(attempt, key))
        if attempt.pruned:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, attempt.value)

    def fail(self, number: int, why: str) -> None:
        """Close a trial that could not be trained."""
        self._open.pop(number).set_user_attr("error", why)
        self.study.tell(number, state=TrialState.FAIL)

    def _reopen(self, number: int) -> Trial:
        study = self._storage.get_study_id_from_name(NAME)
        identifier = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        trial = Trial(self.study, identifier)
        steps = self.study.get_trials(deepcopy=False)[number].intermediate_values
        self._reported[number] = max(steps, default=-1)
        return trial


@contextmanager
def open_ledger(
    folder: Path,
    space: Space,
    trials: int,
    sampler: NumberedSampler,
    pruner: optuna.pruners.BasePruner,
) -> Iterator[TrialLedger]:
    """The trials in `folder`, for this process alone.

    Raises:
        InputError: another command works on it.
    """
    with locked(folder, "searches"):
        journal = (folder / JOURNAL).absolute()
        _repair(journal)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = JournalStorage(JournalFileBackend(str(journal)))
        study = optuna.create_study(
            storage=storage, study_name=NAME, direction="maximize", load_if_exists=True,
            sampler=sampler, pruner=pruner,
        )  # fmt: skip
        yield TrialLedger(study, storage, space, trials)


def make_pruner(kind: PrunerKind, warmup: int) -> optuna.pruners.BasePruner:
    """What breaks off trials that do worse than others did.

    Args:
        kind: `median` breaks off what is below the median of its step, `halving` lets the best
            third of each rung go on, `none` nothing.
        warmup: epochs that every trial gets.
    """
    if kind == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=warmup)
    if kind == "halving":
        return optuna.pruners.SuccessiveHalvingPruner(
            min_resource=max(1, warmup), reduction_factor=3
        )
    return optuna.pruners.NopPruner()


def _repair(journal: Path) -> None:
    """Undo what a kill may leave: the lock of the dead, and half a line at the end."""
    journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
    if not journal.is_file():
        return
    with journal.open("rb+") as stream:
        content = stream.read()
        stream.truncate(content.rfind(b"\n") + 1)


def _suggest(trial: Trial, key: str, one: Choice | Range) -> Any:
    if isinstance(one, Choice):
        return trial.suggest_categorical(key, list(one.values))
    if one.integer:
        return trial.suggest_int(key, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(key, one.low, one.high, log=one.log)
