"""The report's section on one comparison: its table with what is significant, and its bars."""

from cliper.experiments.comparisons.comparison import Comparison, Outcome
from cliper.experiments.comparisons.table import comparison_rows
from cliper.experiments.drawing.tables import metric_name
from cliper.experiments.reports.page.model import Cell, Graphic, Row, Table, TablesSection

CAPTION = (
    "Test split, percent, mean ± deviation over seeds; lift and p (Holm-corrected) against "
    "vanilla, coloured where users and seeds show it."
)


def comparison_section(heading: str, comparison: Comparison) -> TablesSection:
    """Mean ± deviation in percent, lift and p-values below; best and second best are marked."""
    whole = comparison_rows(comparison)
    metrics = _metrics(comparison)
    marks = dict.fromkeys(whole.second, "second") | dict.fromkeys(whole.best, "best")
    rows = []
    backbone = None
    for r, outcome in enumerate(comparison.outcomes):
        cells = []
        for metric in metrics:
            column = whole.columns.index(metric_name(metric))
            mean, _, spread = whole.rows[r][column].partition(" ± ")
            chips = _chips(comparison, outcome) if metric == comparison.metric else ()
            mark = marks.get((r, column), "") if len(comparison.outcomes) > 1 else ""
            cells.append(Cell(mean, f"± {spread}" if spread else "", chips, mark))
        head = f"{outcome.variant.backbone} · {outcome.variant.label}"
        rows.append(Row(head, tuple(cells), outcome.variant.backbone != backbone))
        backbone = outcome.variant.backbone
    columns = tuple(map(metric_name, metrics))
    table = Table(columns, tuple(rows), "", CAPTION, whole.protocol)
    return TablesSection(heading, "", (table,), (Graphic(comparison.plot().html),))


def p_text(p_value: float) -> str:
    """A p-value as it is printed.

    >>> p_text(0.00004), p_text(0.0321)
    ('p < 0.001', 'p = 0.032')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _metrics(comparison: Comparison) -> list[str]:
    """At most four columns: the metric under test, then the usual ones that were measured."""
    measured = list(comparison.outcomes[0].runs[0].results.test)
    usual = ["recall@10", "recall@20", "ndcg@10", "ndcg@20", *measured]
    names = dict.fromkeys([comparison.metric, *(m for m in usual if m in measured)])
    return sorted(list(names)[:4], key=measured.index)


def _chips(comparison: Comparison, outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """What the lift over the baseline is, coloured where it is shown, and its p-values."""
    contrast = comparison.contrasts.get(outcome.variant.name)
    if contrast is None:
        return ()
    chips = []
    if contrast.lift is not None:
        is_sure = comparison.evidence(outcome.variant.name) == "sure"
        tone = ("good" if contrast.lift > 0 else "bad") if is_sure else "plain"
        chips.append((f"{100 * contrast.lift:+.1f} %".replace("-", "−"), tone))
    for p_value, over in ((contrast.p_users, "users"), (contrast.p_seeds, "seeds")):
        if p_value is not None:
            chips.append((f"{p_text(p_value)} ({over})", "plain"))
    return tuple(chips)
