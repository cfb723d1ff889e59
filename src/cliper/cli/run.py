"""`cliper run`: an experiment from one file, with or without stages."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cliper.cli.options import (
    OUT,
    set_option,
    settings,
    tracking_option,
    with_default_features,
)
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.results import show_results
from cliper.cli.state import keeps, state
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.experiments.pipeline import Step


@verb("run")
@click.argument("experiment", type=click.Path(path_type=Path))
@tracking_option
@set_option
@click.option("--out", type=OUT, required=True,
              help="Run directory; with stages, the directory of all of them.")  # fmt: skip
@click.option("--resume", is_flag=True,
              help="Go on with an interrupted run in --out; stages always do.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, stop.")
@json_option
def command(
    experiment: Path,
    out: Path,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do what an experiment file says: one training, or stages up to a report.

    With any of prepare, images, compare, studies, search, report in the file, each is a stage in
    --out; a stage is skipped while nothing that it depends on has changed. Without them the file
    is one training and --out its run directory; a run's config.yaml is such a file.

    \b
    Example:
      cliper run examples/films.yaml --set training.seed=1 --out runs/seed-1
      cliper run examples/paper/table2-baby.yaml --dry-run --out out/baby
      cliper run examples/paper/table2-baby.yaml --out out/baby
    """
    from cliper.experiments.pipeline.sections import KEYS
    from cliper.experiments.run.config import load_experiment

    tree = load_experiment(experiment)
    tree.pop("identity", None)  # a run's config.yaml carries what it hashed to
    tree = with_default_features(settings(tree))
    if any(key in KEYS for key in tree):
        _stages(tree, out, dry_run, as_json)
    else:
        _one_training(tree, out, resume, dry_run, as_json)


def _one_training(
    tree: dict[str, Any], out: Path, resume: bool, dry_run: bool, as_json: bool
) -> None:
    from cliper.experiments.pipeline import Step
    from cliper.experiments.pipeline.sections import split_tree
    from cliper.experiments.run.config import ExperimentConfig
    from cliper.experiments.run.experiment import run_experiment

    split_tree(tree)  # names the nearest of all keys
    config = ExperimentConfig.build(tree)
    if dry_run:
        done = (out / "results.json").is_file()
        _show([Step("train", "done" if done else "to do", 1)], out, as_json)
        return
    keeps(f"what was trained is kept in {out}; the same command with --resume goes on")
    run = run_experiment(config, out, resume=resume)
    if as_json:
        print_json({**run.results.json_object(), "run": str(out)})
    else:
        show_results(run.results, str(out))


def _stages(tree: dict[str, Any], out: Path, dry_run: bool, as_json: bool) -> None:
    from cliper.experiments.pipeline import Pipeline, plan_pipeline, run_pipeline

    pipeline = Pipeline.build(tree)
    if dry_run:
        _show(plan_pipeline(pipeline, out), out, as_json)
        return
    keeps(f"finished stages and runs are kept in {out}; the same command goes on")
    typed = shlex.join(("cliper", *state().arguments))
    steps = run_pipeline(pipeline, out, commands=[typed], tell=lambda line: say(line, err=True))
    _show(steps, out, as_json)
    if pipeline.sections.report and not as_json:
        say(f"\nwritten: {out / 'report.html'}")


def _show(steps: "Sequence[Step]", out: Path, as_json: bool) -> None:
    if as_json:
        print_json({"out": str(out), "stages": [step.json_object() for step in steps]})
        return
    rows = [[step.stage, step.state, _trainings(step), f"{step.seconds:,.0f}"] for step in steps]
    print_table(["stage", "state", "trainings", "seconds"], rows, right=[2, 3])


def _trainings(step: "Step") -> str:
    return "as the data have it" if step.trainings is None else f"{step.trainings:,}"
