"""The report's section on where CLIPER helps and where it hurts."""

from collections.abc import Sequence

from cliper.data import Dataset
from cliper.experiments.comparisons.comparison import Outcome
from cliper.experiments.reports.breakdown import Group, breakdown
from cliper.experiments.reports.page.model import Cell, Graphic, Row, Table, TablesSection
from cliper.experiments.studies.figures import Point, difference_dots

HEADS = {
    "training interactions": "By how often the item was taken in training",
    "category": "By category",
    "what is known": "By what is known of the item",
}


def breakdown_section(
    dataset: Dataset, before: Outcome, after: Outcome, heading: str, k: int = 20
) -> TablesSection | None:
    """Tables and figures of `breakdown`; None where no group has enough test rows."""
    groups = breakdown(dataset, before, after, k)
    if not groups:
        return None
    return TablesSection(
        heading,
        _sentence(groups, after.variant.label, before.variant.label),
        tuple(
            _table(groups, kind, before.variant.label, after.variant.label, k)
            for kind in _kinds(groups)
        ),
        tuple(_figure(groups, kind, k) for kind in _kinds(groups)),
    )


def _kinds(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(group.kind for group in groups))


def _sentence(groups: Sequence[Group], after: str, before: str) -> str:
    """What the intervals say, and nothing that they do not."""
    parts = []
    for verdict, word in (("helps", "finds more"), ("hurts", "finds less")):
        names = [f"{g.kind} {g.label}" for g in groups if g.verdict == verdict]
        if names:
            parts.append(f"{after} {word} than {before} at {', '.join(names)}")
    alone = [f"{g.kind} {g.label}" for g in groups if g.users_alone]
    if alone:
        parts.append(f"over users alone, not over seeds, they differ at {', '.join(alone)}")
    rest = sum(not group.verdict and not group.users_alone for group in groups)
    if not parts:
        return f"In none of the {len(groups)} groups can {after} be told from {before}."
    return "; ".join(parts) + f". In {rest} of {len(groups)} groups there is no telling."


def _table(groups: Sequence[Group], kind: str, before: str, after: str, k: int) -> Table:
    rows = []
    for group in groups:
        if group.kind != kind:
            continue
        tone = {"helps": "good", "hurts": "bad"}.get(group.verdict)
        chips = ((group.verdict, tone),) if tone else ()
        chips = (("users alone", "plain"),) if group.users_alone else chips
        spread = f"({100 * group.low:+.1f} to {100 * group.high:+.1f})"
        cells = (
            Cell(f"{group.rows:,.0f}"),
            Cell(f"{100 * group.before:.1f}"),
            Cell(f"{100 * group.after:.1f}"),
            Cell(f"{100 * group.difference:+.1f}", spread, chips),
        )
        rows.append(Row(group.label, cells))
    caption = (
        f"Recall@{k} over the test rows of such items, percent (each user's rows, mean over users "
        "and seeds); the difference in points with its 95 % interval, not corrected for the "
        "number of groups. helps and hurts: the interval excludes 0 and the paired test over seeds "
        "has p < 0.05; users alone: the seeds do not show it."
    )
    return Table(("test rows", before, after, "difference"), tuple(rows), HEADS[kind], caption)


def _figure(groups: Sequence[Group], kind: str, k: int) -> Graphic:
    points = [Point(g.label, g.difference, g.low, g.high) for g in groups if g.kind == kind]
    return Graphic(difference_dots(points, HEADS[kind], f"gain in Recall@{k}, points"))
