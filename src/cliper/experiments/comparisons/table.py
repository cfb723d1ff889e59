"""A comparison as a table: one row a variant."""

from collections.abc import Sequence
from typing import Any

from cliper.experiments.comparisons.caption import protocol_line
from cliper.experiments.comparisons.comparison import Comparison, Outcome, deviation
from cliper.experiments.drawing.tables import TextTable, metric_name, p_text


def comparison_rows(comparison: Comparison) -> TextTable:
    """Mean ± deviation over seeds in percent, lift and p-values against the baseline.

    A value that does not exist (a baseline's lift, p over one seed) is a dash.
    """
    outcomes = comparison.outcomes
    metrics = list(outcomes[0].runs[0].results.test)
    about = ("backbone", "features", "fusion", *(["variant"] if _tagged(comparison) else []))
    shown = metric_name(comparison.metric)
    columns = (
        *about,
        *(metric_name(m) for m in metrics),
        f"lift {shown}",
        "95 % interval",
        "p (users)",
        f"p ({comparison.repeated})",
    )
    rows = tuple(_row(comparison, outcome, metrics) for outcome in outcomes)
    best: list[tuple[int, int]] = []
    second: list[tuple[int, int]] = []
    for column, metric in enumerate(metrics, len(about)):
        means = [float(o.values(metric).mean()) for o in outcomes]
        ranked = sorted(set(means), reverse=True)
        best += [(row, column) for row, mean in enumerate(means) if mean == ranked[0]]
        second += [(row, column) for row, mean in enumerate(means) if mean in ranked[1:2]]
    numeric = tuple(range(len(about), len(columns)))
    return TextTable(columns, rows, tuple(best), numeric, protocol_line(comparison), tuple(second))


def comparison_records(comparison: Comparison) -> list[dict[str, Any]]:
    """One record a variant, unrounded fractions, for CSV."""
    metrics = list(comparison.outcomes[0].runs[0].results.test)
    records = []
    for outcome in comparison.outcomes:
        variant, name = outcome.variant, outcome.variant.name
        contrast = comparison.contrasts.get(name)
        record: dict[str, Any] = {
            "backbone": variant.backbone,
            "features": variant.features,
            "fusion": variant.fusion,
            "variant": variant.tag,
            "seeds": len(outcome.runs),
            "search_budget": outcome.budget,
        }
        for metric in metrics:
            mean, deviation = _mean_and_deviation(outcome, metric)
            record |= {f"{metric} mean": mean, f"{metric} std": deviation}
        record |= {
            "baseline": comparison.baselines.get(name),
            "metric": comparison.metric,
            **{
                key: contrast and getattr(contrast, key)
                for key in ("lift", "difference", "low", "high", "p_users", "p_seeds", "smallest")
            },
        }
        records.append(record)
    return records


def _row(comparison: Comparison, outcome: Outcome, metrics: Sequence[str]) -> tuple[str, ...]:
    variant, name = outcome.variant, outcome.variant.name
    cells = [variant.backbone, variant.features, variant.fusion or "-"]
    cells += [variant.tag or "-"] if _tagged(comparison) else []
    for metric in metrics:
        mean, deviation = _mean_and_deviation(outcome, metric)
        several = len(outcome.runs) > 1
        cells.append(
            f"{100 * mean:.2f} ± {100 * deviation:.2f}" if several else f"{100 * mean:.2f}"
        )
    contrast = comparison.contrasts.get(name)
    if contrast is None:
        return (*cells, "-", "-", "-", "-")
    lift = "-" if contrast.lift is None else f"{100 * contrast.lift:+.1f} %"
    interval = f"{100 * contrast.low:+.2f} to {100 * contrast.high:+.2f}"
    return (*cells, lift, interval, p_text(contrast.p_users), p_text(contrast.p_seeds))


def _mean_and_deviation(outcome: Outcome, metric: str) -> tuple[float, float]:
    values = outcome.values(metric)
    return float(values.mean()), deviation(values)


def _tagged(comparison: Comparison) -> bool:
    return any(outcome.variant.tag for outcome in comparison.outcomes)
