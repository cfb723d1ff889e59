"""`cliper run`: an experiment from one file."""

from pathlib import Path

import click

from cliper.cli.options import set_option, with_default_features
from cliper.cli.output import json_option, print_json
from cliper.cli.results import show_results
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("run")
@click.argument("experiment", type=click.Path(path_type=Path))
@set_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run directory.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run in --out.")
@json_option
def command(
    experiment: Path, sets: tuple[str, ...], out: Path, resume: bool, as_json: bool
) -> None:
    """Represent, train and evaluate as an experiment file says; a run's config.yaml is one.

    \b
    Example:
      cliper run experiment.yaml --set training.seed=1 --out runs/seed-1
    """
    from cliper.experiments.config import ExperimentConfig, assign, load_experiment
    from cliper.experiments.experiment import run_experiment

    tree = load_experiment(experiment)
    tree.pop("identity", None)  # a run's config.yaml carries what it hashed to
    config = ExperimentConfig.build(with_default_features(assign(tree, sets)))
    keeps(f"what was trained is kept in {out}; the same command with --resume goes on")
    run = run_experiment(config, out, resume=resume)
    if as_json:
        print_json({**run.results.json_object(), "run": str(out)})
    else:
        show_results(run.results, str(out))
