"""`Comparison`: the outcomes of several variants and what the statistics say of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cliper.data.splits.kinds import OVERLAP
from cliper.errors import InputError
from cliper.experiments.comparisons.stops import stop_notes
from cliper.experiments.comparisons.variants import Variant
from cliper.experiments.run.finished import Run
from cliper.experiments.statistics.contrast import Contrast, contrasted
from cliper.experiments.statistics.significance import SIGNIFICANT, Evidence, evidence
from cliper.files import as_written, read_json
from cliper.metrics import saturated
from cliper.notebook import Shown, html_table

_LONGEST = 255  # bytes of a file's name


@dataclass(frozen=True)
class Outcome:
    """A variant's runs, one a seed, and the settings that validation chose for it.

    Attributes:
        variant: the row of the table.
        runs: one a seed.
        chosen: key → value, the winner of the search; empty without one.
        budget: configurations that it was chosen among, on validation alone.
    """

    variant: Variant
    runs: tuple[Run, ...]
    chosen: Mapping[str, Any] = field(default_factory=dict)
    budget: int = 1

    def values(self, metric: str) -> np.ndarray:
        """The test metric of each seed, (S,)."""
        return np.array([run.results.test[metric] for run in self.runs])

    def per_user(self, metric: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """(users, metric) of each seed, for the paired tests."""
        tables = [run.directory.read_per_user() for run in self.runs]
        return [(np.asarray(t["user_index"]), np.asarray(t[metric])) for t in tables]


@dataclass(frozen=True)
class Comparison:
    """All outcomes, and each one against its baseline.

    Attributes:
        outcomes: in the table's order.
        baselines: variant name → name of the variant it is compared with.
        contrasts: variant name → its difference from the baseline and the tests of it.
        metric: what the contrasts are about.
        folds: the runs are folds of the cold-item split, not seeds.
    """

    outcomes: tuple[Outcome, ...]
    baselines: Mapping[str, str]
    contrasts: Mapping[str, Contrast]
    metric: str
    folds: bool = False

    @property
    def budget(self) -> int:
        """The largest search budget of a variant."""
        return max(outcome.budget for outcome in self.outcomes)

    def evidence(self, name: str) -> Evidence:
        """What speaks for a variant's difference from its baseline, after Holm's correction."""
        contrast = self.contrasts[name]
        over_users = contrast.p_users is not None and contrast.p_users < SIGNIFICANT
        return evidence(over_users, contrast.over_seeds)

    @property
    def notes(self) -> list[str]:
        """What must be said beside the numbers: how trainings ended, what seeds do not show."""
        notes = stop_notes({o.variant.name: o.runs for o in self.outcomes})
        alone = [name for name in self.contrasts if self.evidence(name) == "users alone"]
        if alone:
            notes.append(
                f"OVER USERS ALONE, not over {self.repeated}: the difference of {', '.join(alone)}"
            )
        for why in dict.fromkeys(one.why_no_p_seeds for one in self.contrasts.values()):
            if why:
                names = [n for n, one in self.contrasts.items() if one.why_no_p_seeds == why]
                whose = "" if len(names) == len(self.contrasts) else f" for {', '.join(names)}"
                notes.append(f"no p over seeds{whose}: {why}")
        seen = {n: c.smallest for n, c in self.contrasts.items() if c.smallest is not None}
        if seen:
            points = ", ".join(f"{100 * least:.2f} points ({name})" for name, least in seen.items())
            notes.append(
                f"smallest true difference that these folds find in four of five cases: {points}"
            )
        lowest = {
            metric: min(float(outcome.values(metric).min()) for outcome in self.outcomes)
            for metric in self.outcomes[0].runs[0].results.test
        }
        notes += [remark] if (remark := saturated(lowest)) else []
        for outcome in self.outcomes:
            found = [run.results.features.weights for run in outcome.runs]
            if found[0]:
                means = {v: float(np.mean([one[v] for one in found])) for v in found[0]}
                each = ", ".join(f"{view} {mean:.2f}" for view, mean in means.items())
                notes.append(f"learned weights of {outcome.variant.name}: {each}")
        return notes

    def plot(self, metric: str | None = None) -> Shown:
        """Bars of a test metric, one deviation over runs up and down; an SVG for a notebook.

        Args:
            metric: such as `ndcg@20`; the comparison's own if None.

        Raises:
            InputError: the runs do not have this metric, or matplotlib is not installed.
        """
        from cliper.experiments.comparisons.bars import comparison_figure  # for this alone

        return comparison_figure(self, metric or self.metric)

    def __repr__(self) -> str:
        runs = max((len(one.runs) for one in self.outcomes), default=0)
        names = ", ".join(one.variant.name for one in self.outcomes)
        return f"Comparison({names}; {runs} {self.repeated}, {self.metric})"

    def _repr_html_(self) -> str:
        from cliper.experiments.comparisons.table import comparison_rows  # which needs this class

        table = comparison_rows(self)
        return html_table(table.columns, table.rows, table.protocol, table.best)

    @property
    def repeated(self) -> str:
        """What runs were repeated over: `seeds` or `folds`."""
        return "folds" if self.folds else "seeds"


def default_baselines(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Each variant against vanilla features of the same backbone, where the table has it."""
    names = {outcome.variant.name for outcome in outcomes}
    found: dict[str, str] = {}
    for outcome in outcomes:
        baseline = Variant(outcome.variant.backbone, "vanilla").name
        if baseline in names and baseline != outcome.variant.name:
            found[outcome.variant.name] = baseline
    return found


def analyse(
    outcomes: Sequence[Outcome],
    metric: str,
    baselines: Mapping[str, str] | None = None,
    *,
    folds: bool = False,
) -> Comparison:
    """Test each variant against its baseline: its backbone's vanilla, unless told otherwise.

    With `folds` the runs are folds of the cold-item split, whose training sets overlap.

    Raises:
        InputError: a baseline that the table does not have.
    """
    by_name = {o.variant.name: o for o in outcomes}
    baselines = default_baselines(outcomes) if baselines is None else baselines
    for name in (*baselines, *baselines.values()):
        if name not in by_name:
            raise InputError(f"the table has no variant {name!r}", where="baselines")
    tested = {*baselines, *baselines.values()}
    values = {name: o.per_user(metric) for name, o in by_name.items() if name in tested}
    overlap = OVERLAP if folds else 0.0
    contrasts = contrasted(values, baselines, overlap)[1] if values else {}
    return Comparison(tuple(outcomes), baselines, contrasts, metric, folds)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Records of every run, plus the summary (`compare.json`, `compare --json`)."""
    return {
        "schema": 1,
        "metric": comparison.metric,
        "folds": comparison.folds,
        "search_budget": comparison.budget,
        "notes": comparison.notes,
        "summary": [summary(comparison, outcome) for outcome in comparison.outcomes],
        "runs": [r.results.json_object() for o in comparison.outcomes for r in o.runs],
    }


def summary(comparison: Comparison, outcome: Outcome) -> dict[str, Any]:
    """A row of `comparison_json`."""
    variant, name = outcome.variant, outcome.variant.name
    metrics = outcome.runs[0].results.test
    contrast = comparison.contrasts.get(name)
    return {
        "name": name,
        "backbone": variant.backbone,
        "features": variant.features,
        "fusion": variant.fusion,
        "tag": variant.tag,
        "settings": dict(variant.settings),
        "seeds": [int(run.results.config["training"]["seed"]) for run in outcome.runs],
        "chosen": dict(outcome.chosen),
        "search_budget": outcome.budget,
        "epochs_run": [run.results.epochs_run for run in outcome.runs],
        "best_epoch": [run.results.best_epoch for run in outcome.runs],
        "mean": {m: float(outcome.values(m).mean()) for m in metrics},
        "std": {m: deviation(outcome.values(m)) for m in metrics},
        "baseline": comparison.baselines.get(name),
        "lift": contrast and contrast.lift,
        "lifts": _lifts(comparison, outcome),
        "difference": contrast and contrast.difference,
        "interval": contrast and [contrast.low, contrast.high],
        "p_users": contrast and contrast.p_users,
        "p_seeds": contrast and contrast.p_seeds,
        "smallest": contrast and contrast.smallest,
        "why_no_p_seeds": contrast.why_no_p_seeds if contrast else "",
        "evidence": comparison.evidence(name) if contrast else None,
    }


def _lifts(comparison: Comparison, outcome: Outcome) -> dict[str, float | None] | None:
    """The relative lift over the baseline in every metric."""
    baseline = comparison.baselines.get(outcome.variant.name)
    if baseline is None:
        return None
    other = next(o for o in comparison.outcomes if o.variant.name == baseline)
    lifts: dict[str, float | None] = {}
    for metric in outcome.runs[0].results.test:
        base = float(other.values(metric).mean())
        lifts[metric] = float(outcome.values(metric).mean()) / base - 1 if base else None
    return lifts


def single(run: Run) -> Comparison:
    """One run as a comparison of one, e.g. for a report."""
    facts = run.results.features
    variant = Variant(run.results.backbone, facts.kind, facts.fusion)
    return analyse([Outcome(variant, (run,))], "recall@20")


def load_comparison(path: Path) -> Comparison:
    """Read a comparison's directory again, e.g. for a report.

    Raises:
        InputError: there is no comparison at `path`.
    """
    if not (path / "compare.json").is_file():
        raise InputError("no compare.json: not a comparison", where=str(path))
    with as_written(path / "compare.json", "compare again"):
        saved = read_json(path / "compare.json")
        outcomes = []
        for row in saved["summary"]:
            variant = Variant(
                row["backbone"],
                row["features"],
                row["fusion"],
                row.get("tag", ""),
                row.get("settings", {}),
            )
            if len(variant.name.encode()) > _LONGEST:
                raise ValueError("a name that no folder can have")
            folders = [path / "runs" / variant.name / f"seed-{seed}" for seed in row["seeds"]]
            runs = tuple(Run.load(folder) for folder in folders)
            budget = row.get("search_budget", saved["search_budget"])
            outcomes.append(Outcome(variant, runs, row["chosen"], budget))
        if not outcomes or not all(outcome.runs for outcome in outcomes):
            raise ValueError("it names no runs")
        baselines = {row["name"]: row["baseline"] for row in saved["summary"] if row["baseline"]}
        return analyse(outcomes, saved["metric"], baselines, folds=saved.get("folds", False))


def deviation(values: np.ndarray) -> float:
    """Standard deviation over seeds (n - 1); 0 for one seed."""
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
