"""A study's main table: one row an arm, mean ± deviation, and the difference from its reference."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from cliper.experiments.stops import stop_notes
from cliper.experiments.studies.base import Measured, Study
from cliper.experiments.tables import ComparisonTable, metric_name, p_text

EMPTY = "-"


def study_table(study: Study, measured: Measured) -> ComparisonTable:
    """The rows as text, with what they mean in `protocol`."""
    outcomes = measured.outcomes
    first = next(iter(outcomes.values()))
    metrics = list(first.runs[0].results.test)
    extra = study.extra(measured)
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
        cells = [label, *(_number(extra.get(label, {}).get(name)) for name in added)]
        for metric in metrics:
            mean, deviation = outcome.values(metric).mean(), _deviation(outcome.values(metric))
            spread = f" ± {100 * deviation:.2f}" if len(outcome.runs) > 1 else ""
            cells.append(f"{100 * mean:.2f}{spread}")
        rows.append((*cells, *_contrast_cells(measured, label)))
    best = []
    for column, metric in enumerate(metrics, 1 + len(added)):
        means = [float(outcome.values(metric).mean()) for outcome in outcomes.values()]
        best += [(row, column) for row, mean in enumerate(means) if mean == max(means)]
    first_text = columns.index("against")
    numeric = tuple(c for c in range(1, len(columns)) if c != first_text)
    return ComparisonTable(columns, tuple(rows), tuple(best), numeric, protocol(measured))


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
    extra = study.extra(measured)
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
                "std": {m: _deviation(outcome.values(m)) for m in metrics},
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


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV, nested means and deviations in columns of their own, runs left out."""
    flat = [_flat(row) for row in rows]
    columns = list(dict.fromkeys(key for row in flat for key in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in flat:
        values = (row.get(column) for column in columns)
        writer.writerow(["" if value is None else value for value in values])
    return out.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
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


def _contrast_cells(measured: Measured, label: str) -> tuple[str, ...]:
    contrast = measured.contrasts.get(label)
    if contrast is None:
        return (EMPTY,) * 6
    return (
        contrast.against,
        f"{100 * contrast.difference:+.2f}",
        f"{100 * contrast.low:+.2f} to {100 * contrast.high:+.2f}",
        EMPTY if contrast.lift is None else f"{100 * contrast.lift:+.1f} %",
        p_text(contrast.p_users),
        p_text(contrast.p_seeds),
    )


def _number(value: float | None) -> str:
    if value is None:
        return EMPTY
    return f"{value:,.0f}" if value >= 10 else f"{100 * value:.0f} %"


def _deviation(values: Any) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
