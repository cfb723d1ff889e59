"""A comparison as rows of text: for the terminal, as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from cliper.experiments.caption import protocol_line
from cliper.experiments.comparison import Comparison, Outcome


@dataclass(frozen=True)
class ComparisonTable:
    """One row a variant, cells as text.

    Attributes:
        columns: headers.
        rows: cells, parallel to `columns`.
        best: (row, column) of each metric's best mean, ties included.
        numeric: columns that hold numbers.
        protocol: one line that says how the numbers came about.
        second: (row, column) of the second best, as `best`.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[int, int], ...]
    numeric: tuple[int, ...]
    protocol: str
    second: tuple[tuple[int, int], ...] = ()


def comparison_rows(comparison: Comparison) -> ComparisonTable:
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
        "p (seeds)",
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
    return ComparisonTable(
        columns, rows, tuple(best), numeric, protocol_line(comparison), tuple(second)
    )


def markdown(table: ComparisonTable) -> str:
    """The table in Markdown, best values bold, second best in italics, the protocol below."""
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|" + "|".join("---:" if c in table.numeric else "---" for c in range(len(table.columns)))
        + "|",
    ]  # fmt: skip
    for r, row in enumerate(table.rows):
        marks = (
            "**" if (r, c) in table.best else "*" if (r, c) in table.second else ""
            for c in range(len(row))
        )
        cells = (f"{m}{cell}{m}" for m, cell in zip(marks, row, strict=True))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", table.protocol, ""])


def csv_text(comparison: Comparison) -> str:
    """One line a variant, unrounded fractions; empty where a value does not exist."""
    metrics = list(comparison.outcomes[0].runs[0].results.test)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spread = [f"{m} {what}" for m in metrics for what in ("mean", "std")]
    writer.writerow(
        ["backbone", "features", "fusion", "variant", "seeds", "search_budget", *spread, "baseline",
         "metric", "lift", "difference", "low", "high", "p_users", "p_seeds"]
    )  # fmt: skip
    for outcome in comparison.outcomes:
        variant, name = outcome.variant, outcome.variant.name
        test = comparison.tests.get(name)
        low, high = comparison.intervals.get(name, (None, None))
        values: list[object] = [variant.backbone, variant.features, variant.fusion or ""]
        values += [variant.tag, len(outcome.runs), outcome.budget]
        for metric in metrics:
            values += _mean_and_deviation(outcome, metric)
        values += [comparison.baselines.get(name, ""), comparison.metric]
        values += [
            "" if value is None else value
            for value in (
                test.lift if test else None,
                test.difference if test else None,
                low,
                high,
                comparison.p_users.get(name),
                comparison.p_seeds.get(name),
            )
        ]
        writer.writerow(values)
    return out.getvalue()


def metric_name(key: str) -> str:
    """The published spelling of a metric's key.

    >>> metric_name("recall@20"), metric_name("ndcg@10")
    ('Recall@20', 'NDCG@10')
    """
    name, at, k = key.partition("@")
    return f"{'NDCG' if name == 'ndcg' else name.capitalize()}{at}{k}"


def p_text(p: float | None) -> str:
    """A p-value with what a table has room for.

    >>> p_text(0.01234), p_text(0.00001), p_text(None)
    ('0.012', '<0.001', '-')
    """
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


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
    test = comparison.tests.get(name)
    lift = test.lift if test else None
    cells.append("-" if lift is None else f"{100 * lift:+.1f} %")
    ends = comparison.intervals.get(name)
    cells.append("-" if ends is None else f"{100 * ends[0]:+.2f} to {100 * ends[1]:+.2f}")
    cells += [p_text(comparison.p_users.get(name)), p_text(comparison.p_seeds.get(name))]
    return tuple(cells)


def _mean_and_deviation(outcome: Outcome, metric: str) -> tuple[float, float]:
    values = outcome.values(metric)
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _tagged(comparison: Comparison) -> bool:
    return any(outcome.variant.tag for outcome in comparison.outcomes)
