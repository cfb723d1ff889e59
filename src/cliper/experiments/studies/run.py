"""`study`: plan, run, measure, write."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cliper.config import nearest
from cliper.errors import InputError
from cliper.experiments.figure_style import standalone
from cliper.experiments.latex import latex
from cliper.experiments.resample import DRAWS, LEVEL
from cliper.experiments.studies.base import Detail, Finding, Measured, Study, measure
from cliper.experiments.studies.coldness import Coldness
from cliper.experiments.studies.embedding_size import EmbeddingSize
from cliper.experiments.studies.encoders import Encoders
from cliper.experiments.studies.execute import run_arms
from cliper.experiments.studies.fusion import Fusion
from cliper.experiments.studies.importance import ImportanceStudy
from cliper.experiments.studies.modalities import Modalities
from cliper.experiments.studies.plan import Setting
from cliper.experiments.studies.table import csv_of, records, study_table
from cliper.experiments.studies.temperature import Temperature
from cliper.experiments.studies.threshold import Threshold
from cliper.experiments.studies.views import Views
from cliper.experiments.tables import ComparisonTable, markdown
from cliper.files import write_json, write_text

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (
        Views(), Fusion(), Temperature(), EmbeddingSize(), Encoders(), ImportanceStudy(),
        Modalities(), Coldness(), Threshold(),
    )
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class StudyResult:
    """A finished study.

    Attributes:
        study, measured: what was asked, and the runs with their statistics.
        table: the main table as text.
        details: further tables.
        findings: what the numbers say.
        figures: name → SVG, to be put into a page.
    """

    study: Study
    measured: Measured
    table: ComparisonTable
    details: tuple[Detail, ...]
    findings: tuple[Finding, ...]
    figures: Mapping[str, str]


def find_study(name: str) -> Study:
    """The study of this name.

    Raises:
        InputError: there is none; the nearest is named.
    """
    if name not in STUDIES:
        raise InputError(f"no study {name!r}", where="study", remedy=nearest(name, list(STUDIES)))
    return STUDIES[name]


def run_study(name: str, setting: Setting, out: Path, *, processes: int | None = 1) -> StudyResult:
    """Run a study and write its table, figures and findings into `out`.

    Args:
        name: a key of `STUDIES`.
        setting: dataset, backbone, common settings, seeds.
        out: gets `<name>.md`, `.csv`, `.tex`, `.json`, `.svg`, and `runs/`, which all studies in
            `out` share: a run that another study has made is not made again.
        processes: worker processes that train at a time, see `run_jobs`; None for as many as pay.

    Raises:
        InputError: a setting that the study varies itself, values for a study without, or a
            dataset or backbone that it does not suit.
    """
    study = find_study(name)
    check_setting(study, setting)
    plan = study.plan(setting)
    for arm in plan.arms:  # every bad setting before the first training
        setting.config(arm, setting.seeds[0])
    outcomes = run_arms(setting, plan.arms, out / "runs", processes=processes)
    measured = measure(setting, plan, outcomes)
    result = StudyResult(
        study,
        measured,
        study_table(study, measured),
        tuple(study.details(measured)),
        tuple(study.findings(measured)),
        study.figures(measured),
    )
    write_study(result, out)
    return result


def check_setting(study: Study, setting: Setting) -> None:
    """Refuse what would have no effect."""
    if setting.values is not None and not study.takes_values:
        raise InputError(
            f"study {study.name} takes no values", where="--values", remedy="leave it out"
        )
    for key in study.varies:
        section, _, name = key.partition(".")
        if key != "views.include" and name in (setting.base.get(section) or {}):
            raise InputError(f"is what study {study.name} varies", where=key, remedy="leave it out")


def write_study(result: StudyResult, out: Path) -> list[Path]:
    """Write a study's files; returns their paths."""
    name = result.study.name
    paths = []
    for figure, svg in result.figures.items():
        paths.append(out / f"{figure}.svg")
        write_text(paths[-1], standalone(svg))
    rows = records(result.study, result.measured)
    for detail in result.details:
        paths.append(out / f"{name}-{detail.name}.csv")
        write_text(paths[-1], csv_of(detail.records))
    paths.append(out / f"{name}.csv")
    write_text(paths[-1], csv_of(rows))
    tables = [result.table, *map(detail_table, result.details)]
    paths.append(out / f"{name}.tex")
    write_text(paths[-1], "\n".join(map(latex, tables)))
    paths.append(out / f"{name}.md")
    write_text(paths[-1], study_markdown(result))
    paths.append(out / f"{name}.json")
    write_json(paths[-1], study_json(result))
    return paths


def study_json(result: StudyResult) -> dict[str, Any]:
    """Everything but the pictures (`<name>.json`, `study --json`)."""
    measured, study = result.measured, result.study
    return {
        "schema": 1,
        "study": study.name,
        "source": study.source,
        "question": study.question,
        "dataset": {"name": measured.setting.dataset.name, "hash": measured.setting.dataset.hash},
        "backbone": measured.setting.backbone,
        "metric": measured.metric,
        "seeds": list(measured.setting.seeds),
        "bootstrap": {"draws": DRAWS, "level": LEVEL},
        "protocol": result.table.protocol,
        "arms": records(study, measured),
        "skipped": [{"arm": s.label, "reason": s.reason} for s in measured.plan.skipped],
        "details": {d.name: list(d.records) for d in result.details},
        "findings": [
            {"text": f.text, "verdict": f.holds, "numbers": dict(f.numbers)}
            for f in result.findings
        ],
        "figures": [f"{name}.svg" for name in result.figures],
    }


def study_markdown(result: StudyResult) -> str:
    """The page of a study: findings, figures, tables."""
    study = result.study
    lines = [f"# {study.name}", "", f"{study.question} ({study.source})", ""]
    lines += [f"- {finding.text}" for finding in result.findings]
    lines += [f"- Skipped: {s.label} ({s.reason})." for s in result.measured.plan.skipped]
    lines.append("")
    for name in result.figures:
        lines += [f"![{name}]({name}.svg)", ""]
    lines.append(markdown(result.table))
    for detail in result.details:
        lines.append(markdown(detail_table(detail)))
    return "\n".join(lines)


def detail_table(detail: Detail) -> ComparisonTable:
    """A further table in the shape that is written like the main one."""
    numeric = tuple(range(1, len(detail.columns)))
    return ComparisonTable(detail.columns, detail.rows, (), numeric, detail.caption)
