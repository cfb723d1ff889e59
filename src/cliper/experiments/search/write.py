"""The files of a search: records, tables, figures, and settings for `cliper run`."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna

from cliper.data import Dataset
from cliper.experiments.drawing.style import standalone
from cliper.experiments.drawing.tables import markdown
from cliper.experiments.run.finished import Run
from cliper.experiments.run.trainings import Training, train_all
from cliper.experiments.search.figures import history_figure, importance_figure
from cliper.experiments.search.outcome import SearchOutcome, Trial, write_trials
from cliper.experiments.search.run import Build
from cliper.experiments.search.sampler import distribution
from cliper.experiments.search.table import search_table
from cliper.files import as_written, read_json, write_json, write_text
from cliper.strict_yaml import write_yaml


@dataclass(frozen=True)
class SearchResult:
    """A search, its winner's run, and the files that were written."""

    outcome: SearchOutcome
    winner: Run
    importance: dict[str, float]
    files: tuple[Path, ...]

    def json_object(self) -> dict[str, Any]:
        """`search.json`, `search --json`."""
        return {
            "schema": 1,
            **self.outcome.json_object(),
            "importance": self.importance,
            "runs": [self.winner.results.json_object()],
        }


def conclude(dataset: Dataset, build: Build, outcome: SearchOutcome, out: Path) -> SearchResult:
    """Train the winner as any run, test it once, and write everything down.

    Args:
        dataset, build: as they were searched with.
        outcome: what `search` gave.
        out: gets `best/`, `best.yaml`, `search.json`, `search.md`, `trials.csv`,
            `trials.parquet`, `history.svg`, `importance.svg`.
    """
    config = build(dict(outcome.best.params))
    _set_aside(out, outcome.best)
    best = Training("the best configuration", config, out / "best")
    (winner,) = train_all(dataset, [best], description="testing the best")
    importance = importances(outcome)
    files = [out / "best.yaml", *write_trials(outcome, out), out / "history.svg"]
    text = write_yaml(config.resolved())
    write_text(out / "best.yaml", text)
    write_text(out / "history.svg", standalone(history_figure(outcome)))
    if importance:
        write_text(out / "importance.svg", standalone(importance_figure(importance)))
        files.append(out / "importance.svg")
    files += [out / "search.md", out / "search.json"]
    result = SearchResult(outcome, winner, importance, tuple(files))
    record = result.json_object()
    write_text(out / "search.md", markdown(search_table(record)))
    write_json(out / "search.json", record)
    return result


def _set_aside(out: Path, best: Trial) -> None:
    """An earlier, smaller search's best run makes room when another trial wins now."""
    if not (out / "search.json").is_file() or not (out / "best").is_dir():
        return
    with as_written(out / "search.json", "choose another --out"):
        before = int(read_json(out / "search.json")["best"]["number"])
    if before != best.number:
        target = out / f"best-of-before-{before}"
        if not target.exists():
            (out / "best").rename(target)


def importances(outcome: SearchOutcome) -> dict[str, float]:
    """Each setting's share, most important first; empty where too little varied to say.

    PED-ANOVA (Watanabe et al., IJCAI 2023) on the finished trials.
    """
    kinds = {key: distribution(one) for key, one in outcome.space.items()}
    study = optuna.create_study(direction="maximize")
    for trial in outcome.trials:
        if trial.state == "complete" and trial.value is not None:
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(trial.params), distributions=kinds, value=trial.value
                )
            )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # experimental, says the library
            found = optuna.importance.get_param_importances(study)
    except (ValueError, RuntimeError):
        return {}
    return {key: float(value) for key, value in found.items()}
