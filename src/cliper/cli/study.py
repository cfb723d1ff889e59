"""`cliper study`: the paper's other tables and figures, for any dataset."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cliper.cli.options import (
    OUT,
    dataset_argument,
    many_experiments_options,
    names,
    seeds_option,
    settings,
    workers_options,
)
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.state import keeps, note_command
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.parallel import Workers


KINDS = ("views", "fusion", "temperature", "embedding-size", "encoders", "importance",
         "modalities", "coldness", "threshold")  # fmt: skip


@verb("study")
@click.argument("kind", metavar="|".join(KINDS))
@dataset_argument
@click.option("--backbone", default="freedom", show_default=True, metavar="NAME")
@click.option("--fusion", default="attention", show_default=True, metavar="KIND")
@click.option(
    "--values",
    metavar="A,B,C",
    help="What to vary over: temperatures, sizes, encoders, thresholds, shares.",
)
@seeds_option(5)
@many_experiments_options
@workers_options
@click.option("--out", type=OUT, required=True,
              help="Tables, figures, and the runs that all studies in it share.")  # fmt: skip
@json_option
def command(
    kind: str,
    dataset: Path,
    backbone: str,
    fusion: str,
    values: str | None,
    seeds: int,
    metric: str,
    processes: "Workers",
    out: Path,
    as_json: bool,
) -> None:
    """One of the paper's ablations, or of its summary's follow-up experiments.

    Writes KIND.md, .csv, .tex, .json and .svg into --out. Finished runs in --out are reused, also
    those of other studies; the same command goes on after an interruption.

    \b
    Example:
      cliper study views data/films --split cold-item --seeds 5 --out out/studies
      cliper study temperature data/films --values 0,0.1,0.5,inf --out out/studies
    """
    from cliper.data import Dataset
    from cliper.experiments.comparisons.check import check_comparison
    from cliper.experiments.comparisons.variants import Variant
    from cliper.experiments.studies import Setting, find_study, run_study
    from cliper.experiments.studies.write import study_json

    study = find_study(kind)
    base = settings()
    shared = [Variant(backbone, "cliper", fusion)]
    check_comparison(shared, base, {}, metric, fusions_given=False)
    setting = Setting.make(
        Dataset.load(dataset),
        base,
        backbone=backbone,
        fusion=fusion,
        seeds=range(seeds),
        metric=metric,
        values=None if values is None else names(values, "--values"),
    )
    study.check(setting)
    keeps(f"finished runs are kept in {out}; the same command goes on")
    result = run_study(kind, setting, out, processes=processes)
    note_command(out)  # not before: a study that is refused leaves nothing behind
    if as_json:
        print_json({**study_json(result), "out": str(out)})
        return
    table = result.table
    print_table(table.columns, table.rows, right=table.numeric, bold=table.best)
    for detail in result.details:
        say()
        print_table(detail.columns, detail.rows, title=detail.caption)
    say()
    for finding in result.findings:
        say(f"- {finding.text}")
    for skipped in result.measured.plan.skipped:
        say(f"- Skipped: {skipped.label} ({skipped.reason}).")
    say(f"\n{table.protocol}\nwritten: {out / kind}.md")
