"""`cliper train`: one training."""

from pathlib import Path

import click

from cliper.cli.options import (
    encoding_options,
    protocol_options,
    set_option,
    settings,
    with_default_features,
)
from cliper.cli.output import json_option, print_json
from cliper.cli.results import show_results
from cliper.cli.state import keeps
from cliper.cli.usage import verb
from cliper.errors import InputError


@verb("train")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--backbone", default="freedom", show_default=True, metavar="NAME")
@click.option(
    "--features",
    metavar="KIND",
    help="cliper, vanilla or none; what the backbone can use if not given.",
)
@encoding_options
@click.option("--fusion", metavar="KIND", help="attention (the default), sum, concat or mlp.")
@click.option("--temperature", metavar="T", help="Of the attention; 0.1 by default, inf allowed.")
@protocol_options
@click.option("--seed", type=int, help="Of weights and negatives, and of the split.")
@click.option("--epochs", type=int, help="At most so many; validation may stop earlier.")
@set_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run directory.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run in --out.")
@json_option
def command(
    dataset: Path,
    backbone: str,
    features: str | None,
    encoder: str | None,
    weights: str | None,
    adapt: str | None,
    views: str | None,
    templates: tuple[str, ...],
    fusion: str | None,
    temperature: str | None,
    split: str | None,
    mask: str | None,
    seed: int | None,
    epochs: int | None,
    sets: tuple[str, ...],
    out: Path,
    resume: bool,
    as_json: bool,
) -> None:
    """Train a backbone on a dataset and score its test split once.

    \b
    Example:
      cliper train data/films --backbone freedom --features cliper --fusion attention \\
        --set training.learning_rate=1e-3 --out runs/films
    """
    from cliper.experiments.config import ExperimentConfig
    from cliper.experiments.experiment import run_experiment

    tree = settings(
        encoder=encoder,
        weights=weights,
        adapt=adapt,
        views=views,
        templates=templates,
        backbone=backbone,
        features=features,
        fusion=fusion,
        temperature=temperature,
        split=split,
        mask=mask,
        seed=seed,
        epochs=epochs,
        sets=sets,
    )
    if "dataset" in tree:
        raise InputError("is the argument DATASET", where="--set dataset", remedy="leave it out")
    tree["dataset"] = {"path": str(dataset)}
    config = ExperimentConfig.build(with_default_features(tree))
    keeps(f"what was trained is kept in {out}; the same command with --resume goes on")
    run = run_experiment(config, out, resume=resume)
    if as_json:
        print_json({**run.results.json_object(), "run": str(out)})
    else:
        show_results(run.results, str(out))
