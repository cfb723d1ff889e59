"""The trials of one search, in Optuna's journal: whole after a kill at any moment."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from cliper.errors import InputError
from cliper.experiments.run.validate import Validation
from cliper.experiments.search.kinds import PrunerKind
from cliper.experiments.search.outcome import trials_of
from cliper.experiments.search.sampler import NumberedSampler
from cliper.experiments.search.space import Choice, Range, Space
from cliper.files import locked

JOURNAL = "study.journal"
NAME = "search"
# What Optuna and its reader of JSON raise on lines that are none of theirs.
_DAMAGE = (
    ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


class Trials:
    """Hands out trials and takes their results.

    A trial that was under way when an earlier process died is handed out again first, under its
    number and with its parameters.

    Args:
        study: Optuna's.
        space: what is searched.
        count: how many there will be.
    """

    def __init__(self, study: optuna.Study, space: Space, count: int) -> None:
        self.study, self._space, self._count = study, space, count
        self._stale = study.get_trials(states=(TrialState.RUNNING,))

    @property
    def left(self) -> int:
        """How many are to be done yet."""
        done = [t for t in self.study.get_trials(deepcopy=False) if t.state.is_finished()]
        return self._count - len(done)

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each trial's number and parameters."""
        while True:
            if self._stale:
                trial = Trial(self.study, _identifier(self._stale.pop(0)))
            elif len(self.study.get_trials(deepcopy=False)) < self._count:
                trial = self.study.ask()
            else:
                return
            yield trial.number, {key: _suggest(trial, key, one) for key, one in self._space.items()}

    def finish(self, number: int, found: Validation) -> None:
        """Close a trial with what validation said."""
        for key in ("best_epoch", "epochs_run", "train_seconds"):
            self._note(number, key, getattr(found, key))
        if found.pruned:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, found.value)

    def fail(self, number: int, why: str) -> None:
        """Close a trial that could not be trained."""
        self._note(number, "error", why)
        self.study.tell(number, state=TrialState.FAIL)

    def _note(self, number: int, key: str, value: Any) -> None:
        trial = self.study.get_trials(deepcopy=False)[number]
        Trial(self.study, _identifier(trial)).set_user_attr(key, value)


@contextmanager
def open_trials(
    folder: Path, space: Space, count: int, sampler: NumberedSampler
) -> Iterator[Trials]:
    """The trials in `folder`, handed out by this process alone.

    Raises:
        InputError: another command works on it, or the journal is damaged.
    """
    with locked(folder, "searches"):
        _repair(folder / JOURNAL)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(
                storage=_storage(folder), study_name=NAME, direction="maximize",
                load_if_exists=True, sampler=sampler,
            )  # fmt: skip
            trials = Trials(study, space, count)
            trials_of(study)
        except _DAMAGE as error:
            raise InputError(
                f"damaged: Optuna cannot read it ({type(error).__name__})",
                where=str(folder / JOURNAL),
                remedy="search again into another directory",
            ) from None
        yield trials


class TrialReports:
    """Writes a trial's validations into the journal, from whichever process trains it.

    Args:
        folder: of the search.
        number: of the trial.
        pruner: says which trials are broken off.
    """

    def __init__(self, folder: Path, number: int, pruner: optuna.pruners.BasePruner) -> None:
        self._storage = _storage(folder)
        self._study = optuna.load_study(study_name=NAME, storage=self._storage, pruner=pruner)
        trial = self._study.get_trials(deepcopy=False)[number]
        self._trial = _identifier(trial)
        self._last = max(trial.intermediate_values, default=-1)  # before an interruption

    def __call__(self, step: int, value: float) -> bool:
        """Note a validation; the answer is whether the trial should go on."""
        if step > self._last:
            self._storage.set_trial_intermediate_value(self._trial, step, value)
        if step < self._last:  # an earlier process has decided on it: to go on
            return True
        trial = self._storage.get_trial(self._trial)
        return not self._study.pruner.prune(self._study, trial)


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


def _storage(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str((folder / JOURNAL).absolute())))


def _identifier(trial: FrozenTrial) -> int:
    """Optuna's name for a trial in its storage."""
    return trial._trial_id


def _repair(journal: Path) -> None:
    """Undo what a kill may leave: the lock of the dead, and half a line at the end."""
    journal.with_name(journal.name + ".lock").unlink(missing_ok=True)
    if not journal.is_file():
        return
    with journal.open("rb+") as stream:
        content = stream.read()
        stream.truncate(content.rfind(b"\n") + 1)


def _suggest(trial: Trial, key: str, one: Choice | Range) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # of other bounds in the journal than ours
        try:
            if isinstance(one, Choice):
                return trial.suggest_categorical(key, list(one.values))
            if one.integer:
                return trial.suggest_int(key, int(one.low), int(one.high), log=one.log)
            return trial.suggest_float(key, one.low, one.high, log=one.log)
        except RuntimeWarning:
            remedy = "search again into another directory"
            raise InputError(
                f"damaged: other bounds of {key}", where=JOURNAL, remedy=remedy
            ) from None
