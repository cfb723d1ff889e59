"""A finished search in a report: its best trials, its history, what mattered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cliper.experiments.drawing.tables import TextTable
from cliper.experiments.reports.page.model import Cell, Graphic, Row, Table, TablesSection
from cliper.experiments.reports.study_sections import inline_figure
from cliper.experiments.search.table import search_table, shown
from cliper.files import as_written, read_json


def is_search(folder: Path) -> bool:
    """Whether a finished search lies in `folder`."""
    return (folder / "search.json").is_file()


def search_section(folder: Path) -> TablesSection:
    """The section of the search in `folder`."""
    with as_written(folder / "search.json", "search again"):
        return _section(read_json(folder / "search.json"), folder)


def _section(search: Mapping[str, Any], folder: Path) -> TablesSection:
    record, budget, best = search["runs"][0], search["search_budget"], search["best"]
    chosen = ", ".join(f"{key} {shown(value)}" for key, value in best["params"].items())
    intro = (
        f"{budget['configurations']} configurations of {record['backbone']} on "
        f"{record['features']['kind']} features, {budget['pruned']} of them broken off early; "
        f"chosen on validation Recall@20 alone: trial {best['number']} ({chosen}). It was trained "
        f"and tested once: Recall@20 {100 * record['test']['recall@20']:.2f}."
    )
    figures = [folder / name for name in ("history.svg", "importance.svg")]
    return TablesSection(
        f"Search: {folder.name}",
        intro,
        (_table(search_table(search)),),
        tuple(Graphic(inline_figure(path)) for path in figures if path.is_file()),
    )


def _table(table: TextTable) -> Table:
    rows = [
        Row(
            f"trial {row[0]}",
            tuple(
                Cell(text, mark="best" if (r, c) in table.best else "")
                for c, text in enumerate(row[1:], 1)
            ),
        )
        for r, row in enumerate(table.rows)
    ]
    return Table(table.columns[1:], tuple(rows), protocol=table.protocol)
