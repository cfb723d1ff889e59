"""`cliper compare`: backbones × features × fusions × seeds on one dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cliper.cli.options import (
    OUT,
    dataset_argument,
    given,
    many_experiments_options,
    names,
    pairs,
    search_options,
    seeds_option,
    settings,
    workers_options,
)
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.state import keeps, note_command
from cliper.cli.usage import verb
from cliper.errors import InputError

if TYPE_CHECKING:
    from cliper.parallel import Workers


def _names(_: click.Context, parameter: click.Parameter, text: str | None) -> list[str] | None:
    return None if text is None else names(text, parameter.opts[0])


@verb("compare")
@dataset_argument
@click.option("--backbones", required=True, callback=_names, metavar="A,B",
              help="See `cliper list backbones`.")  # fmt: skip
@click.option("--features", default="vanilla,cliper", show_default=True, callback=_names,
              metavar="A,B")  # fmt: skip
@click.option("--fusions", callback=_names, metavar="A,B",
              help="Of cliper features; learned,attention by default.")  # fmt: skip
@seeds_option(None, "How many, 1 by default; each seeds split, weights and negatives.")
@click.option("--folds", type=click.IntRange(min=2), metavar="N",
              help="Instead of seeds: N folds of repeated cold-item cross-validation.")  # fmt: skip
@many_experiments_options
@click.option("--grid", multiple=True, metavar="KEY=V1,V2",
              callback=lambda _, __, texts: parse_grid(texts),
              help="Search these on validation, the same for every variant.")  # fmt: skip
@search_options
@click.option("--set-for", multiple=True, metavar="NAME:KEY=VALUE",
              callback=lambda _, __, texts: parse_own(texts),
              help="A setting of one backbone, kind of features or variant alone.")  # fmt: skip
@workers_options
@click.option("--out", type=OUT, required=True, help="Results and runs.")
@json_option
def command(dataset: Path, processes: "Workers", out: Path, as_json: bool, **options: Any) -> None:
    """The paper's Table 2 for any dataset: mean, deviation, lift, significance.

    Finished runs in --out are reused. Writes compare.json, .md, .csv and .tex. Every variant
    is searched with the same budget; what is not equal is said in the caption.

    \b
    Example:
      cliper compare data/films --backbones lightgcn,freedom --features vanilla,cliper \\
        --fusions attention,concat --seeds 5 --split cold-item \\
        --grid training.learning_rate=1e-3,1e-4 --out out/films
    """
    from cliper.data import Dataset
    from cliper.experiments.comparisons.comparison import comparison_json
    from cliper.experiments.comparisons.settings import CompareSettings
    from cliper.experiments.comparisons.table import comparison_rows
    from cliper.experiments.comparisons.write import write_comparison

    plan = CompareSettings.parse(given(options), where="compare")
    base = settings()
    plan.check(base)
    loaded = Dataset.load(dataset)
    keeps(f"finished runs are kept in {out}; the same command goes on")
    note_command(out)
    comparison = plan.run(loaded, base, out, processes=processes)
    written = write_comparison(comparison, out)
    if as_json:
        print_json({**comparison_json(comparison), "out": str(out)})
        return
    table = comparison_rows(comparison)
    print_table(
        table.columns, table.rows, right=table.numeric, bold=table.best, second=table.second
    )
    say(f"\n{table.protocol}\nwritten: {', '.join(map(str, written))}")


def parse_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """`key=v1,v2` options as key → values.

    >>> parse_grid(["training.learning_rate=1e-3,1e-4"])
    {'training.learning_rate': [0.001, 0.0001]}
    """
    from cliper.strict_yaml import parse_value

    return {
        key: [parse_value(value, key) for value in names(text, f"--grid {key}")]
        for key, text in pairs(texts, "--grid").items()
    }


def parse_own(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`name:key=value` options as name → key → value.

    >>> parse_own(["freedom:backbone.neighbours=20"])
    {'freedom': {'backbone.neighbours': 20}}
    """
    from cliper.strict_yaml import parse_value

    result: dict[str, dict[str, Any]] = {}
    for text in texts:
        name, colon, rest = text.partition(":")
        key, equals, value = rest.partition("=")
        if not colon or not equals or not name.strip() or not key.strip():
            raise InputError(f"not name:key=value: {text!r}", where="--set-for")
        result.setdefault(name.strip(), {})[key.strip()] = parse_value(value, key.strip())
    return result
