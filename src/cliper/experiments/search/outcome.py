"""What a search found: trials as plain records, and the budget that was spent."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
import pyarrow as pa
import pyarrow.parquet as pq
from optuna.trial import TrialState

from cliper.experiments.drawing.tables import csv_text
from cliper.experiments.search.kinds import PrunerKind, SamplerKind
from cliper.experiments.search.space import Choice, Range, describe
from cliper.files import atomic_path, write_text

State = Literal["complete", "pruned", "failed"]
_STATES: Mapping[TrialState, State] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True)
class Trial:
    """One configuration and what validation said of it.

    Attributes:
        number: from 0, in the order of their draws.
        params: dotted setting → value.
        state: `pruned` ones were broken off, `failed` ones could not be trained.
        value: validation Recall@20, of the best epoch (of the last one, if pruned).
        values: of every validation, by epoch.
        best_epoch, epochs_run, train_seconds: of the training.
        error: what went wrong.
    """

    number: int
    params: Mapping[str, Any]
    state: State
    value: float | None
    values: Mapping[int, float]
    best_epoch: int
    epochs_run: int
    train_seconds: float
    error: str


@dataclass(frozen=True)
class SearchOutcome:
    """All trials and the best of them."""

    trials: tuple[Trial, ...]
    best: Trial
    space: Mapping[str, Choice | Range]
    sampler: SamplerKind
    prune: PrunerKind
    seed: int
    warmup: int

    @property
    def budget(self) -> dict[str, int]:
        """What was spent: configurations by state, and epochs."""
        states = [trial.state for trial in self.trials]
        counts = {state: states.count(state) for state in ("complete", "pruned", "failed")}
        return {
            "configurations": len(self.trials),
            **counts,
            "epochs": sum(trial.epochs_run for trial in self.trials),
        }

    def json_object(self) -> dict[str, Any]:
        """Plain values, for `search.json`."""
        return {
            "metric": "valid recall@20",
            "seed": self.seed,
            "sampler": self.sampler,
            "prune": self.prune,
            "warmup": self.warmup,
            "space": describe(self.space),
            "search_budget": self.budget,
            "best": {
                "number": self.best.number,
                "value": self.best.value,
                "params": dict(self.best.params),
            },
            "trials": [_record(trial) for trial in self.trials],
        }


def trials_of(study: optuna.Study) -> list[Trial]:
    """The finished trials of a study, by number."""
    return [
        Trial(
            number=trial.number,
            params=dict(trial.params),
            state=_STATES[trial.state],
            value=trial.value,
            values=dict(sorted(trial.intermediate_values.items())),
            best_epoch=trial.user_attrs.get("best_epoch", 0),
            epochs_run=trial.user_attrs.get("epochs_run", 0),
            train_seconds=trial.user_attrs.get("train_seconds", 0.0),
            error=trial.user_attrs.get("error", ""),
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.state in _STATES
    ]


def write_trials(outcome: SearchOutcome, out: Path) -> list[Path]:
    """Write `trials.csv` and `trials.parquet`: one row a trial, a column a setting."""
    rows = [_flat(trial) for trial in outcome.trials]
    write_text(out / "trials.csv", csv_text(rows))
    columns = {name: _column([row[name] for row in rows]) for name in rows[0]}
    with atomic_path(out / "trials.parquet") as temporary:
        pq.write_table(pa.table(columns), temporary)
    return [out / "trials.csv", out / "trials.parquet"]


def _column(values: list[Any]) -> pa.Array:
    """A column of one type; mixed ones (`0.1` and `inf`) become text."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])


def _flat(trial: Trial) -> dict[str, Any]:
    record = _record(trial)
    params = record.pop("params")
    return {"number": record.pop("number"), **params, **record}


def _record(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "params": dict(trial.params),
        "state": trial.state,
        "valid_recall@20": trial.value,
        "best_epoch": trial.best_epoch,
        "epochs_run": trial.epochs_run,
        "train_seconds": trial.train_seconds,
        "error": trial.error,
    }
