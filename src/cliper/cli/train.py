"""`cliper train`: one training."""

from pathlib import Path
from typing import Any

import click

from cliper.cli.options import (
    OUT,
    dataset_argument,
    engine_options,
    experiment_tree,
    one_experiment_options,
    setting,
    workers_of,
)
from cliper.cli.output import json_option, print_json
from cliper.cli.results import show_results
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("train")
@dataset_argument
@setting("--backbone", "backbone.name", default="freedom", show_default=True, metavar="NAME")
@one_experiment_options
@click.option("--preset", type=click.Choice(["paper"]),
              help="The paper's settings where none are given: attention, τ 0.1.")  # fmt: skip
@click.option("--out", type=OUT, required=True, help="Run directory.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run in --out.")
@engine_options
@json_option
def command(
    dataset: Path, preset: str | None, out: Path, resume: bool, as_json: bool, **engine: Any
) -> None:
    """Train a backbone on a dataset and score its test split once.

    With --engine ray, each worker takes its part of every batch.

    \b
    Example:
      cliper train data/films --backbone freedom --features cliper --fusion attention \\
        --set training.learning_rate=1e-3 --out runs/films
    """
    from cliper.experiments.run.config import ExperimentConfig
    from cliper.experiments.run.experiment import run_experiment
    from cliper.experiments.run.paper import paper_settings
    from cliper.parallel import OnRay

    workers = workers_of(**engine)
    where = workers if isinstance(workers, OnRay) else None
    tree = experiment_tree(dataset)
    config = ExperimentConfig.build(paper_settings(tree) if preset == "paper" else tree)
    keeps(f"what was trained is kept in {out}; the same command with --resume goes on")
    run = run_experiment(config, out, resume=resume, where=where)
    if as_json:
        print_json({**run.results.json_object(), "run": str(out)})
    else:
        show_results(run.results, str(out))
