"""`cliper search`: hyper-parameters chosen on validation alone."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cliper.cli.options import (
    OUT,
    dataset_argument,
    experiment_tree,
    given,
    one_experiment_options,
    search_options,
    setting,
    workers_options,
)
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.state import keeps, note_command
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.parallel import Workers


@verb("search")
@dataset_argument
@setting(
    "--backbone",
    "backbone.name",
    required=True,
    metavar="NAME",
    help="See `cliper list backbones`.",
)
@one_experiment_options
@search_options
@workers_options
@click.option("--out", type=OUT, required=True, help="Study and results.")
@json_option
def command(dataset: Path, processes: "Workers", out: Path, as_json: bool, **options: Any) -> None:
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
    from cliper.experiments.run.config import ExperimentConfig
    from cliper.experiments.search import SearchSettings
    from cliper.experiments.search.table import search_table

    tree = experiment_tree(dataset)
    ExperimentConfig.build(tree)
    plan = SearchSettings.parse(given(options), where="search")
    plan.space_of(tree)
    loaded = Dataset.load(dataset)
    keeps(f"finished trials are kept in {out}; the same command goes on")
    note_command(out)
    result = plan.run(loaded, tree, out, processes=processes)
    record = result.json_object()
    if as_json:
        print_json({**record, "out": str(out)})
        return
    table = search_table(record)
    print_table(table.columns, table.rows, right=table.numeric, bold=table.best)
    say(f"\n{table.protocol}\nwritten: {', '.join(map(str, result.files))}")
