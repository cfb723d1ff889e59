"""A comparison as rows of text: for the terminal, as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cliper.experiments.comparison import Comparison, Outcome
from cliper.files import write_text


@dataclass(frozen=True)
class ComparisonTable:
    """One row a variant, cells as text.

    Attributes:
        columns: headers.
        rows: cells, parallel to `columns`.
        best: (row, column) of each metric's best mean, ties included.
        numeric: columns that hold numbers.
        protocol: one line that says how the numbers came about.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[int, int], ...]
    numeric: tuple[int, ...]
    protocol: str


def comparison_rows(comparison: Comparison) -> ComparisonTable:
    """Mean ± deviation over seeds in percent, lift and p-values against the baseline.

    A value that does not exist (a baseline's lift, p over one seed) is a dash.
    """
    outcomes = comparison.outcomes
    metrics = list(outcomes[0].runs[0].results.test)
    about = ("backbone", "features", "fusion")
    shown = metric_name(comparison.metric)
    columns = (
        *about,
        *(metric_name(m) for m in metrics),
        f"lift {shown}",
        "p (users)",
        "p (seeds)",
    )
    rows = tuple(_row(comparison, outcome, metrics) for outcome in outcomes)
    best = []
    for column, metric in enumerate(metrics, len(about)):
        means = [float(o.values(metric).mean()) for o in outcomes]
        best += [(row, column) for row, mean in enumerate(means) if mean == max(means)]
    numeric = tuple(range(len(about), len(columns)))
    return ComparisonTable(columns, rows, tuple(best), numeric, protocol_line(comparison))


def protocol_line(comparison: Comparison) -> str:
    """Data, split, mask, candidates, seeds, width and search budget of a comparison."""
    first = comparison.outcomes[0].runs[0].results
    widths = {
        run.results.config["backbone"]["embedding_size"]
        for outcome in comparison.outcomes
        for run in outcome.runs
        if "embedding_size" in run.results.config["backbone"]
    }
    seeds = [run.results.config["training"]["seed"] for run in comparison.outcomes[0].runs]
    width = ", ".join(map(str, sorted(widths))) or "none"
    budget = comparison.budget
    return (
        f"{first.dataset.name}: percent of test, mean ± standard deviation; "
        f"split {first.protocol.split}, mask {first.protocol.mask}, "
        f"candidates {first.protocol.candidates}, "
        f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''} ({', '.join(map(str, seeds))}), "
        f"width {width}, search budget {budget} configuration{'s' if budget != 1 else ''} "
        "a variant on validation alone; lift and p (paired t-tests, Holm-corrected) "
        "against vanilla features of the same backbone; best in each column marked"
    )


def markdown(table: ComparisonTable) -> str:
    """The table in Markdown, best values bold, the protocol below."""
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|" + "|".join("---:" if c in table.numeric else "---" for c in range(len(table.columns)))
        + "|",
    ]  # fmt: skip
    for r, row in enumerate(table.rows):
        cells = (f"**{cell}**" if (r, c) in table.best else cell for c, cell in enumerate(row))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", table.protocol, ""])


def csv_text(comparison: Comparison) -> str:
    """One line a variant, unrounded fractions; empty where a value does not exist."""
    metrics = list(comparison.outcomes[0].runs[0].results.test)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spread = [f"{m} {what}" for m in metrics for what in ("mean", "std")]
    writer.writerow(
        ["backbone", "features", "fusion", "seeds", *spread, "baseline", "metric", "lift",
         "p_users", "p_seeds"]
    )  # fmt: skip
    for outcome in comparison.outcomes:
        variant, name = outcome.variant, outcome.variant.name
        test = comparison.tests.get(name)
        values: list[object] = [variant.backbone, variant.features, variant.fusion or ""]
        values.append(len(outcome.runs))
        for metric in metrics:
            values += _mean_and_deviation(outcome, metric)
        values += [comparison.baselines.get(name, ""), comparison.metric]
        values += [
            "" if value is None else value
            for value in (
                test.lift if test else None,
                comparison.p_users.get(name),
                comparison.p_seeds.get(name),
            )
        ]
        writer.writerow(values)
    return out.getvalue()


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Write `compare.md` and `compare.csv` into `out`."""
    write_text(out / "compare.md", markdown(comparison_rows(comparison)))
    write_text(out / "compare.csv", csv_text(comparison))
    return [out / "compare.md", out / "compare.csv"]


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
    for metric in metrics:
        mean, deviation = _mean_and_deviation(outcome, metric)
        several = len(outcome.runs) > 1
        cells.append(
            f"{100 * mean:.2f} ± {100 * deviation:.2f}" if several else f"{100 * mean:.2f}"
        )
    test = comparison.tests.get(name)
    lift = test.lift if test else None
    cells.append("-" if lift is None else f"{100 * lift:+.1f} %")
    cells += [p_text(comparison.p_users.get(name)), p_text(comparison.p_seeds.get(name))]
    return tuple(cells)


def _mean_and_deviation(outcome: Outcome, metric: str) -> tuple[float, float]:
    values = outcome.values(metric)
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0
