"""`cliper study`: the paper's other tables and figures, for any dataset."""

from pathlib import Path

import click

from cliper.cli.options import (
    encoding_options,
    names,
    processes_option,
    protocol_options,
    set_option,
    settings,
)
from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.state import keeps, note_command
from cliper.cli.usage import verb

KINDS = ("views", "fusion", "temperature", "embedding-size", "encoders", "importance",
         "modalities", "coldness", "threshold")  # fmt: skip


@verb("study")
@click.argument("kind", metavar="|".join(KINDS))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--backbone", default="freedom", show_default=True, metavar="NAME")
@click.option("--fusion", metavar="KIND", help="Attention by default.")
@click.option(
    "--values",
    metavar="A,B,C",
    help="What to vary over: temperatures, sizes, encoders, thresholds, shares.",
)
@click.option("--seeds", type=click.IntRange(min=1), default=5, show_default=True,
              help="How many; each seeds split, weights and negatives.")  # fmt: skip
@encoding_options
@click.option("--temperature", metavar="T", help="Of the attention; 0.1 by default.")
@protocol_options
@click.option("--epochs", type=int, help="At most so many; validation may stop earlier.")
@set_option
@click.option("--metric", default="recall@20", show_default=True,
              help="Of differences, intervals and tests.")  # fmt: skip
@processes_option
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="Tables, figures, and the runs that all studies in it share.")  # fmt: skip
@json_option
def command(
    kind: str,
    dataset: Path,
    backbone: str,
    fusion: str | None,
    values: str | None,
    seeds: int,
    encoder: str | None,
    weights: str | None,
    adapt: str | None,
    views: str | None,
    templates: tuple[str, ...],
    temperature: str | None,
    split: str | None,
    mask: str | None,
    epochs: int | None,
    sets: tuple[str, ...],
    metric: str,
    processes: int | None,
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
    from cliper.experiments.check_comparison import check_comparison
    from cliper.experiments.studies import Setting, find_study, run_study
    from cliper.experiments.studies.run import check_setting, study_json
    from cliper.experiments.variants import Variant

    study = find_study(kind)
    base = settings(
        encoder=encoder,
        weights=weights,
        adapt=adapt,
        views=views,
        templates=templates,
        temperature=temperature,
        split=split,
        mask=mask,
        epochs=epochs,
        sets=sets,
    )
    shared = [Variant(backbone, "cliper", fusion or "attention")]
    check_comparison(shared, base, {}, metric, fusions_given=False)
    setting = Setting.make(
        Dataset.load(dataset),
        base,
        backbone=backbone,
        fusion=fusion or "attention",
        seeds=range(seeds),
        metric=metric,
        values=None if values is None else names(values, "--values"),
    )
    check_setting(study, setting)
    keeps(f"finished runs are kept in {out}; the same command goes on")
    result = run_study(kind, setting, out, processes=processes)
    note_command(out)  # not before: a study that is refused leaves nothing behind
    if as_json:
        print_json({**study_json(result), "out": str(out)})
        return
    table = result.table
    print_table(table.columns, table.rows, right=table.numeric, bold=table.best)
    for detail in result.details:
        click.echo()
        print_table(detail.columns, detail.rows, title=detail.caption)
    click.echo()
    for finding in result.findings:
        click.echo(f"- {finding.text}")
    for skipped in result.measured.plan.skipped:
        click.echo(f"- Skipped: {skipped.label} ({skipped.reason}).")
    click.echo(f"\n{table.protocol}\nwritten: {out / kind}.md")
