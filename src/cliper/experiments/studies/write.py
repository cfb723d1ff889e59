"""The files of a study: its main table (one row an arm), further tables, figures, findings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cliper.experiments.comparisons.comparison import deviation
from cliper.experiments.comparisons.stops import stop_notes
from cliper.experiments.comparisons.table import contrast_texts, marks, mean_text
from cliper.experiments.drawing.latex import latex
from cliper.experiments.drawing.style import standalone
from cliper.experiments.drawing.tables import TextTable, csv_text, markdown, metric_name
from cliper.experiments.statistics.resample import DRAWS, LEVEL
from cliper.experiments.studies.study import Detail, Finding, Measured, Study
from cliper.files import write_json, write_text

EMPTY = "-"


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
    table: TextTable
    details: tuple[Detail, ...]
    findings: tuple[Finding, ...]
    figures: Mapping[str, str]


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
        write_text(paths[-1], csv_text(detail.records))
    paths.append(out / f"{name}.csv")
    write_text(paths[-1], csv_text([_flat(row) for row in rows]))
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


def detail_table(detail: Detail) -> TextTable:
    """A further table in the shape that is written like the main one."""
    numeric = tuple(range(1, len(detail.columns)))
    return TextTable(detail.columns, detail.rows, (), numeric, detail.caption)


def study_table(study: Study, measured: Measured) -> TextTable:
    """The rows as text, with what they mean in `protocol`."""
    outcomes = measured.outcomes
    first = next(iter(outcomes.values()))
    metrics = list(first.runs[0].results.test)
    extra = study.columns(measured)
    added = list(dict.fromkeys(name for columns in extra.values() for name in columns))
    shown = metric_name(measured.metric)
    columns = (
        study.what,
        *added,
        *(metric_name(m) for m in metrics),
        "against",
        f"difference {shown}",
        "95 % interval",
        "lift",
        "p (users)",
        "p (seeds)",
    )
    rows = []
    for label, outcome in outcomes.items():
        contrast = measured.contrasts.get(label)
        rows.append(
            (
                label,
                *(_number(extra.get(label, {}).get(name)) for name in added),
                *(mean_text(outcome, metric) for metric in metrics),
                EMPTY if contrast is None else contrast.against,
                *contrast_texts(contrast).values(),
            )
        )
    best, _ = marks(list(outcomes.values()), metrics, 1 + len(added))
    first_text = columns.index("against")
    numeric = tuple(c for c in range(1, len(columns)) if c != first_text)
    return TextTable(columns, tuple(rows), best, numeric, protocol(measured))


def protocol(measured: Measured) -> str:
    """Data, split, mask, candidates, seeds, and what the columns are."""
    results = [o.runs[0].results for o in measured.outcomes.values()]
    first = results[0]
    splits = dict.fromkeys(
        f"{r.protocol.split} (candidates {r.protocol.candidates})" for r in results
    )
    widths = dict.fromkeys(
        str(r.config["backbone"]["embedding_size"])
        for r in results
        if "embedding_size" in r.config["backbone"]
    )
    seeds = measured.setting.seeds
    runs = {label: outcome.runs for label, outcome in measured.outcomes.items()}
    return (
        f"{first.dataset.name}, {first.backbone}: percent of test, mean ± standard deviation over "
        f"{len(seeds)} seed{'s' if len(seeds) != 1 else ''} ({', '.join(map(str, seeds))}); split "
        f"{' and '.join(splits)}, mask {first.protocol.mask}, width {', '.join(widths) or 'none'}; "
        "every arm has the same settings but for what the study varies, none was searched; "
        f"differences in points of {metric_name(measured.metric)}, intervals by bootstrap over "
        f"users and seeds ({len(measured.samples.draws)} draws), p by paired t-tests, "
        "Holm-corrected over the table; best in each column marked"
        + "".join(f"; {note}" for note in stop_notes(runs))
    )


def records(study: Study, measured: Measured) -> list[dict[str, Any]]:
    """One record an arm, unrounded fractions."""
    extra = study.columns(measured)
    rows = []
    for arm in measured.plan.arms:
        outcome = measured.outcomes[arm.label]
        metrics = list(outcome.runs[0].results.test)
        contrast = measured.contrasts.get(arm.label)
        rows.append(
            {
                "arm": arm.label,
                "features": arm.variant.features,
                "fusion": arm.variant.fusion,
                "settings": dict(arm.settings),
                **extra.get(arm.label, {}),
                "mean": {m: float(outcome.values(m).mean()) for m in metrics},
                "std": {m: deviation(outcome.values(m)) for m in metrics},
                "against": arm.against,
                "difference": contrast and contrast.difference,
                "low": contrast and contrast.low,
                "high": contrast and contrast.high,
                "lift": contrast and contrast.lift,
                "p_users": contrast and contrast.p_users,
                "p_seeds": contrast and contrast.p_seeds,
                "why_no_p_seeds": contrast and contrast.why_no_p_seeds,
                "evidence": contrast and contrast.evidence,
                "seeds": {
                    str(seed): {"run": run.path.name, **run.results.test}
                    for seed, run in zip(measured.setting.seeds, outcome.runs, strict=True)
                },
            }
        )
    return rows


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A record of an arm for CSV: means and deviations in columns of their own, runs left out."""
    result: dict[str, Any] = {}
    for key, value in row.items():
        if key == "seeds":
            result["n_seeds"] = len(value)
        elif key == "settings":
            result[key] = "; ".join(f"{k}={v}" for k, v in value.items())
        elif isinstance(value, Mapping):
            result |= {f"{name} {key}": number for name, number in value.items()}
        else:
            result[key] = value
    return result


def _number(value: float | None) -> str:
    if value is None:
        return EMPTY
    return f"{value:,.0f}" if value >= 10 else f"{100 * value:.0f} %"
