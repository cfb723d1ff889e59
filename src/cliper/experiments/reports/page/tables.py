"""From means, deviations and tests to a comparison table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cliper.experiments.drawing.tables import metric_name
from cliper.experiments.reports.page.model import Cell, Row, Table
from cliper.experiments.statistics.significance import Evidence


@dataclass(frozen=True)
class Measure:
    """One metric of one row, as fractions.

    Attributes:
        mean: over the seeds.
        deviation: the standard deviation over the seeds, None for a single run.
        lift: relative to the row's baseline, e.g. 0.12 for 12 % more; None for a baseline.
        p_users, p_seeds: of the paired tests against the baseline, corrected where several were
            made; None where there is none.
        evidence: what they amount to; only `sure` is coloured.
    """

    mean: float
    deviation: float | None = None
    lift: float | None = None
    p_users: float | None = None
    p_seeds: float | None = None
    evidence: Evidence = "none"


@dataclass(frozen=True)
class Compared:
    """One row to be: e.g. group `freedom`, name `CLIPER`, a remark, metric → measure."""

    group: str
    name: str
    measures: Mapping[str, Measure] = field(default_factory=dict)
    note: str = ""


def comparison_table(
    rows: Sequence[Compared],
    metrics: Sequence[str],
    *,
    caption: str = "",
    protocol: str = "",
) -> Table:
    """Mean ± deviation in percent, lift and p-value; best and second best of each column marked.

    A metric that a row lacks is a dash. Ties are all marked: the comparison is of unrounded
    means.

    >>> rows = [
    ...     Compared("freedom", "vanilla", {"recall@20": Measure(0.1)}),
    ...     Compared(
    ...         "freedom", "CLIPER", {"recall@20": Measure(0.12, 0.01, 0.2, 0.003, 0.02, "sure")}
    ...     ),
    ... ]
    >>> table = comparison_table(rows, ["recall@20"])
    >>> table.columns, [row.cells[0].mark for row in table.rows]
    (('Recall@20',), ['second', 'best'])
    >>> table.rows[1].cells[0].chips
    (('+20.0 %', 'good'), ('p = 0.003 (users)', 'plain'), ('p = 0.020 (seeds)', 'plain'))
    """
    built = []
    previous = None
    for row in rows:
        cells = tuple(_cell(row.measures.get(m), _marks(rows, m)) for m in metrics)
        head = f"{row.group} · {row.name}" if row.group else row.name
        built.append(Row(head, cells, row.note, row.group != previous))
        previous = row.group
    return Table(tuple(metric_name(m) for m in metrics), tuple(built), "", caption, protocol)


def p_text(p_value: float) -> str:
    """A p-value as it is printed.

    >>> p_text(0.00004), p_text(0.0321)
    ('p < 0.001', 'p = 0.032')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _marks(rows: Sequence[Compared], metric: str) -> dict[float, str]:
    means = sorted({r.measures[metric].mean for r in rows if metric in r.measures}, reverse=True)
    return dict(zip(means[:2], ("best", "second"), strict=False)) if len(means) > 1 else {}


def _cell(measure: Measure | None, marks: Mapping[float, str]) -> Cell:
    if measure is None:
        return Cell("–")
    chips: list[tuple[str, str]] = []
    if measure.lift is not None:
        tone = ("good" if measure.lift > 0 else "bad") if measure.evidence == "sure" else "plain"
        chips.append((f"{100 * measure.lift:+.1f} %".replace("-", "−"), tone))
    for p_value, over in ((measure.p_users, "users"), (measure.p_seeds, "seeds")):
        if p_value is not None:
            chips.append((f"{p_text(p_value)} ({over})", "plain"))
    spread = "" if measure.deviation is None else f"± {100 * measure.deviation:.2f}"
    return Cell(f"{100 * measure.mean:.2f}", spread, tuple(chips), marks.get(measure.mean, ""))
