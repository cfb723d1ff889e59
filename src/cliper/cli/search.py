"""`cliper search`: hyper-parameters chosen on validation alone."""

from pathlib import Path
from typing import Any

import click

from cliper.cli.options import (
    encoding_options,
    pairs,
    processes_option,
    protocol_options,
    search_options,
    set_option,
    settings,
    with_default_features,
)
from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.state import keeps, note_command
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
@search_options
@processes_option
@set_option
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Study and results.")
@json_option
def command(
    dataset: Path,
    backbone: str,
    preset: str | None,
    spaces: tuple[str, ...],
    trials: int | None,
    sampler: str | None,
    prune: str | None,
    warmup: int | None,
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
    from cliper.experiments.search import SearchSettings
    from cliper.experiments.search.write import search_table

    tree = settings(backbone=backbone, **options)
    if "dataset" in tree:
        raise InputError("is the argument DATASET", where="--set dataset", remedy="leave it out")
    tree["dataset"] = {"path": str(dataset)}
    ExperimentConfig.build(with_default_features(tree))
    given: dict[str, Any] = {
        "preset": preset,
        "space": pairs(spaces, "--space"),
        "trials": trials,
        "sampler": sampler,
        "prune": prune,
        "warmup": warmup,
    }
    plan = SearchSettings.parse({k: v for k, v in given.items() if v is not None}, where="search")
    plan.space_of(tree)
    loaded = Dataset.load(dataset)
    keeps(f"finished trials are kept in {out}; the same command goes on")
    note_command(out)
    result = plan.run(loaded, tree, out, processes=processes)
    if as_json:
        print_json({**result.json_object(), "out": str(out)})
        return
    table = search_table(result)
    print_table(table.columns, table.rows, right=table.numeric, bold=table.best)
    click.echo(f"\n{table.protocol}\nwritten: {', '.join(map(str, result.files))}")
