"""A finished search in a report: its best trials, its history, what mattered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cliper.experiments.reports.page.model import Cell, Graphic, Row, Table, TablesSection
from cliper.experiments.reports.study_sections import inline_figure
from cliper.files import as_written, read_json

SHOWN = 8


def is_search(folder: Path) -> bool:
    """Whether a finished search lies in `folder`."""
    return (folder / "search.json").is_file()


def search_section(folder: Path) -> TablesSection:
    """The section of the search in `folder`."""
    with as_written(folder / "search.json", "search again"):
        return _section(read_json(folder / "search.json"), folder)


def _section(search: Mapping[str, Any], folder: Path) -> TablesSection:
    record, budget, best = search["runs"][0], search["search_budget"], search["best"]
    chosen = ", ".join(f"{key} {_shown(value)}" for key, value in best["params"].items())
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
        (_table(search),),
        tuple(Graphic(inline_figure(path)) for path in figures if path.is_file()),
    )


def _table(search: Mapping[str, Any]) -> Table:
    complete = [trial for trial in search["trials"] if trial["state"] == "complete"]
    ranked = sorted(complete, key=lambda t: (-t["valid_recall@20"], t["number"]))[:SHOWN]
    keys: Sequence[str] = list(search["space"])
    rows = tuple(
        Row(
            f"trial {trial['number']}",
            (
                *(Cell(_shown(trial["params"][key])) for key in keys),
                Cell(f"{100 * trial['valid_recall@20']:.2f}", mark="" if place else "best"),
                Cell(str(trial["epochs_run"])),
            ),
        )
        for place, trial in enumerate(ranked)
    )
    columns = (*keys, "validation Recall@20", "epochs")
    return Table(columns, rows, caption="The best by validation, percent; none of them was tested.")


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
