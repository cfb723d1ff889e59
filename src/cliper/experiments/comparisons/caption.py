"""What has to be said under a comparison's table, and above all what is not equal in it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cliper.data.splits.kinds import FOLDS
from cliper.experiments.comparisons.comparison import Comparison, Outcome, default_baselines


def protocol_line(comparison: Comparison) -> str:
    """Data, split, mask, candidates, seeds, width, budget, what breaks equality, and the notes."""
    outcomes = comparison.outcomes
    first = outcomes[0].runs[0].results
    seeds = [run.results.config["training"]["seed"] for run in outcomes[0].runs]
    parts = [
        f"{first.dataset.name}: percent of test, mean ± standard deviation",
        f"split {first.protocol.split}, mask {first.protocol.mask}, "
        f"candidates {first.protocol.candidates}, "
        f"{_repeated(comparison, seeds)}, "
        f"{width_text(outcomes)}, {budget_text(outcomes)}",
    ]
    own = own_settings_text(outcomes)
    if own:
        parts.append(own)
    if comparison.baselines:
        parts.append(
            f"lift and p (paired t-tests, Holm-corrected) against {_against(comparison)}; "
            f"interval of the difference in points, {_interval(comparison)}"
        )
    parts.append("best and second best in each column marked")
    parts += comparison.notes
    return "; ".join(parts)


def width_text(outcomes: Sequence[Outcome]) -> str:
    """One width for all, or who has which."""
    widths: dict[str, set[int]] = {}
    for outcome in outcomes:
        found = {
            run.results.config["backbone"]["embedding_size"]
            for run in outcome.runs
            if "embedding_size" in run.results.config["backbone"]
        }
        if found:
            widths[outcome.variant.name] = found
    return _one_or_each("width", {name: _joined(found) for name, found in widths.items()}, "none")


def budget_text(outcomes: Sequence[Outcome]) -> str:
    """The number of configurations that each variant chose among."""
    budgets = {outcome.variant.name: outcome.budget for outcome in outcomes}
    where = " on validation alone"
    if set(budgets.values()) == {1}:
        return "nothing searched (search budget 1 configuration a variant)"
    if len(set(budgets.values())) == 1:
        return f"search budget {outcomes[0].budget} configurations a variant{where}"
    return _one_or_each("search budget", {n: str(b) for n, b in budgets.items()}, "") + where


def own_settings_text(outcomes: Sequence[Outcome]) -> str:
    """Settings that a variant was given for itself alone; empty where none was."""
    own = {
        outcome.variant.name: ", ".join(f"{k}={v}" for k, v in outcome.variant.settings.items())
        for outcome in outcomes
        if outcome.variant.settings
    }
    if not own:
        return ""
    return "NOT EQUAL: settings of their own: " + "; ".join(f"{n} {s}" for n, s in own.items())


def _one_or_each(what: str, by_name: Mapping[str, str], none: str) -> str:
    values = list(dict.fromkeys(by_name.values()))
    if len(values) <= 1:
        return f"{what} {values[0] if values else none}"
    groups = (
        f"{value} for {', '.join(name for name, v in by_name.items() if v == value)}"
        for value in values
    )
    return f"NOT EQUAL: {what} {', '.join(groups)}"


def _joined(values: set[Any]) -> str:
    return " and ".join(map(str, sorted(values)))


def _against(comparison: Comparison) -> str:
    if comparison.baselines == default_baselines(comparison.outcomes):
        return "vanilla features of the same backbone"
    names = dict.fromkeys(comparison.baselines.values())
    return ", ".join(names) if len(names) == 1 else "each variant's own baseline"


def _interval(comparison: Comparison) -> str:
    if comparison.folds:
        return "and p over folds, by the corrected resampled t-test (Nadeau and Bengio)"
    seeds = "and seeds " if len(comparison.outcomes[0].runs) > 1 else ""
    return f"from users {seeds}drawn again"


def _repeated(comparison: Comparison, seeds: Sequence[int]) -> str:
    if comparison.folds:
        return f"{len(seeds)} folds of repeated {FOLDS}-fold cross-validation over the items"
    return f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''} ({', '.join(map(str, seeds))})"
