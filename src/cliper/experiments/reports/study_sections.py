"""Finished studies in a report: read from their files, shown as tables and figures."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cliper.errors import InputError
from cliper.experiments.drawing.tables import metric_name, p_text
from cliper.experiments.reports.page.model import Cell, Graphic, Row, Table, TablesSection
from cliper.files import as_written, read_json


def study_sections(folder: Path) -> list[TablesSection]:
    """One section a study that left its `<name>.json` in `folder`, in order of names."""
    sections = []
    for path in sorted(folder.glob("*.json")):
        content = read_json(path)
        if isinstance(content, dict) and "study" in content and "arms" in content:
            with as_written(path, "run the study again"):
                sections.append(_section(content, folder))
    return sections


def _section(study: Mapping[str, Any], folder: Path) -> TablesSection:
    findings = [finding["text"] for finding in study["findings"]]
    skipped = [f"Skipped: {s['arm']} ({s['reason']})." for s in study["skipped"]]
    graphics = [
        Graphic(inline_figure(folder / name))
        for name in (Path(str(one)).name for one in study["figures"])
        if os.path.isfile(folder / name)  # noqa: PTH113 (False for what no name can be)
    ]
    return TablesSection(
        f"Study: {study['study']}",
        " ".join([study["question"], *findings, *skipped]),
        (_table(study),),
        tuple(graphics),
    )


def _table(study: Mapping[str, Any]) -> Table:
    arms: Sequence[Mapping[str, Any]] = study["arms"]
    metric = str(study["metric"])
    best = max(arm["mean"][metric] for arm in arms)
    rows = []
    for arm in arms:
        mean = arm["mean"][metric]
        spread = f"± {100 * arm['std'][metric]:.2f}" if len(arm["seeds"]) > 1 else ""
        mark = "best" if mean == best else ""
        rows.append(Row(arm["arm"], (Cell(f"{100 * mean:.2f}", spread, mark=mark), *_against(arm))))
    columns = (metric_name(metric), "against", "difference", "p (users)", "p (seeds)")
    return Table(columns, tuple(rows), "arm", protocol=study["protocol"])


def _against(arm: Mapping[str, Any]) -> tuple[Cell, ...]:
    if arm["against"] is None or arm["difference"] is None:
        return (Cell("–"),) * 4
    low, high = 100 * arm["low"], 100 * arm["high"]
    tone = ("good" if low > 0 else "bad") if arm.get("evidence") == "sure" else "plain"
    chips = ((f"{low:+.2f} to {high:+.2f}", tone),)
    return (
        Cell(str(arm["against"])),
        Cell(f"{100 * arm['difference']:+.2f}", chips=chips),
        Cell(p_text(arm["p_users"])),
        Cell(p_text(arm["p_seeds"])),
    )


def inline_figure(path: Path) -> str:
    """A figure's file as it stands in a page: the colours are the page's, not its own.

    Raises:
        InputError: the file is no figure of ours.
    """
    text = path.read_text("utf-8", "replace").strip()
    if not text.startswith("<svg") or "<script" in text.lower():
        raise InputError("is no figure of a study", where=str(path), remedy="run the study again")
    return re.sub(r"(<svg[^>]*>)<style>.*?</style>", r"\1", text, count=1, flags=re.DOTALL)
