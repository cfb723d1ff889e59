"""`cliper search`: hyper-parameters chosen on validation alone."""

from pathlib import Path
from typing import Any

import click

from cliper.cli.options import (
    encoding_options,
    processes_option,
    protocol_options,
    set_option,
    settings,
    with_default_features,
)
from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.state import keeps
from cliper.cli.usage import verb
from cliper.errors import InputError


@verb("search")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--backbone", required=True, metavar="NAME", help="See `cliper list backbones`.")
@click.option("--features", metavar="KIND", help="As in train; what the backbone can use if not.")
@encoding_options
@click.option("--fusion", metavar="KIND", help="attention (the default), sum, concat or mlp.")
@click.option("--temperature", metavar="T", help="Of the attention, where it is not searched.")
@protocol_options
@click.option("--seed", type=int, help="Of draws, weights and negatives, and of the split.")
@click.option("--epochs", type=int, help="At most so many a configuration.")
@click.option("--preset", "preset_name", type=click.Choice(["paper", "backbone"]),
              help="The paper's grid, or the backbone's own options (the default).")  # fmt: skip
@click.option("--space", "spaces", multiple=True, metavar="KEY=VALUES",
              help="a,b,c or low..high or low..high:log; added to the preset.")  # fmt: skip
@click.option("--trials", type=click.IntRange(min=1), default=40, show_default=True,
              help="Configurations to try.")  # fmt: skip
@click.option("--sampler", type=click.Choice(["tpe", "random", "grid"]), default="tpe",
              show_default=True)  # fmt: skip
@click.option("--prune", type=click.Choice(["median", "halving", "none"]), default="median",
              show_default=True, help="Break off configurations that fall behind.")  # fmt: skip
@click.option("--warmup", type=click.IntRange(min=0), default=5, show_default=True,
              help="Epochs before one may be broken off.")  # fmt: skip
@processes_option
@set_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Study and results.")
@json_option
def command(
    dataset: Path,
    backbone: str,
    preset_name: str | None,
    spaces: tuple[str, ...],
    trials: int,
    sampler: str,
    prune: str,
    warmup: int,
    processes: int | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Search hyper-parameters on validation; train and test the best once.

    An interrupted search goes on with the same command. Writes search.json, trials.csv,
    trials.parquet, best.yaml (for `cliper run`), figures, and the best run in best/.

    \b
    Example:
      cliper search data/films --backbone freedom --split cold-item --trials 40 \\
        --space training.learning_rate=1e-4..1e-2:log --space backbone.n_layers=1..3 \\
        --out out/search
    """
    from cliper.data import Dataset
    from cliper.experiments.config import ExperimentConfig
    from cliper.experiments.search import conclude, parse_space, preset, search
    from cliper.experiments.search.write import search_table
    from cliper.experiments.variants import with_values

    tree = settings(backbone=backbone, **options)
    if "dataset" in tree:
        raise InputError("is the argument DATASET", where="--set dataset", remedy="leave it out")
    tree["dataset"] = {"path": str(dataset)}
    base = ExperimentConfig.build(with_default_features(tree))

    def is_set(key: str) -> bool:
        section, name = key.split(".")
        return name in tree.get(section, {})

    space = parse_space(spaces, backbone)
    for key in filter(is_set, space):
        raise InputError("is set and searched at once", where=key, remedy="leave one out")
    if preset_name is not None or not spaces:
        chosen = preset(preset_name or "backbone", base)
        space = {**{key: one for key, one in chosen.items() if not is_set(key)}, **space}

    def build(params: dict[str, Any]) -> ExperimentConfig:
        return ExperimentConfig.build(with_values(tree, params))

    loaded = Dataset.load(dataset)
    keeps(f"finished trials are kept in {out}; the same command goes on")
    outcome = search(
        loaded,
        build,
        space,
        out,
        trials=trials,
        seed=base.training.seed,
        sampler=sampler,  # type: ignore[arg-type]
        prune=prune,  # type: ignore[arg-type]
        warmup=warmup,
        processes=processes,
    )
    result = conclude(loaded, build, outcome, out)
    if as_json:
        print_json({**result.json_object(), "out": str(out)})
        return
    table = search_table(result)
    print_table(table.columns, table.rows, right=table.numeric, bold=table.best)
    click.echo(f"\n{table.protocol}\nwritten: {', '.join(map(str, result.files))}")
