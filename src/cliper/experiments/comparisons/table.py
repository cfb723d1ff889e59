"""A comparison as a table: one row a variant."""

from collections.abc import Sequence
from typing import Any

from cliper.experiments.comparisons.caption import protocol_line
from cliper.experiments.comparisons.comparison import (
    Comparison,
    Outcome,
    deviation,
    summary,
)
from cliper.experiments.drawing.tables import TextTable, metric_name, p_text
from cliper.experiments.statistics.contrast import Contrast


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
    best, second = marks(outcomes, metrics, len(about))
    numeric = tuple(range(len(about), len(columns)))
    return TextTable(columns, rows, best, numeric, protocol_line(comparison), second)


def comparison_records(comparison: Comparison) -> list[dict[str, Any]]:
    """One record a variant, unrounded fractions, for CSV."""
    records = []
    for row in (summary(comparison, outcome) for outcome in comparison.outcomes):
        low, high = row["interval"] or (None, None)
        records.append(
            {
                **{key: row[key] for key in ("backbone", "features", "fusion")},
                "variant": row["tag"],
                "seeds": len(row["seeds"]),
                "search_budget": row["search_budget"],
                **{f"{m} {k}": row[k][m] for m in row["mean"] for k in ("mean", "std")},
                "baseline": row["baseline"],
                "metric": comparison.metric,
                "lift": row["lift"],
                "difference": row["difference"],
                "low": low,
                "high": high,
                **{key: row[key] for key in ("p_users", "p_seeds", "smallest")},
            }
        )
    return records


def marks(
    outcomes: Sequence[Outcome], metrics: Sequence[str], first: int
) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """(row, column) of the best and of the second best means, ties included.

    Args:
        outcomes: the rows.
        metrics: the columns from `first` on.
        first: column of the first metric.
    """
    best, second = [], []
    for column, metric in enumerate(metrics, first):
        means = [float(o.values(metric).mean()) for o in outcomes]
        ranked = sorted(set(means), reverse=True)
        best += [(row, column) for row, mean in enumerate(means) if mean == ranked[0]]
        second += [(row, column) for row, mean in enumerate(means) if mean in ranked[1:2]]
    return tuple(best), tuple(second)


def mean_text(outcome: Outcome, metric: str) -> str:
    """Mean ± deviation over seeds, in percent."""
    values = outcome.values(metric)
    spread = f" ± {100 * deviation(values):.2f}" if len(values) > 1 else ""
    return f"{100 * float(values.mean()):.2f}{spread}"


def contrast_texts(contrast: Contrast | None) -> dict[str, str]:
    """A difference in points and what speaks for it; dashes where there is none."""
    if contrast is None:
        return dict.fromkeys(("difference", "interval", "lift", "p_users", "p_seeds"), "-")
    return {
        "difference": f"{100 * contrast.difference:+.2f}",
        "interval": f"{100 * contrast.low:+.2f} to {100 * contrast.high:+.2f}",
        "lift": "-" if contrast.lift is None else f"{100 * contrast.lift:+.1f} %",
        "p_users": p_text(contrast.p_users),
        "p_seeds": p_text(contrast.p_seeds),
    }


def _row(comparison: Comparison, outcome: Outcome, metrics: Sequence[str]) -> tuple[str, ...]:
    variant = outcome.variant
    cells = [variant.backbone, variant.features, variant.fusion or "-"]
    cells += [variant.tag or "-"] if _tagged(comparison) else []
    cells += [mean_text(outcome, metric) for metric in metrics]
    texts = contrast_texts(comparison.contrasts.get(variant.name))
    return (*cells, texts["lift"], texts["interval"], texts["p_users"], texts["p_seeds"])


def _tagged(comparison: Comparison) -> bool:
    return any(outcome.variant.tag for outcome in comparison.outcomes)
