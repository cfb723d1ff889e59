"""The group, the options that all sources share, and what is shown in the end."""

from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from cliper.cli.options import OUT, PATH, F, several
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.state import keeps
from cliper.cli.usage import VerbGroup

if TYPE_CHECKING:
    from cliper.data import Dataset

__all__ = [
    "KEPT", "PATH", "column_options", "command", "dataset_options", "filter_options",
    "result_options",
]  # fmt: skip

KEPT = "no dataset was written, an earlier one is as it was; run the same command again"


@click.group("prepare", cls=VerbGroup)
def command() -> None:
    """Turn raw files into a dataset directory."""


def _columns(_: click.Context, parameter: click.Parameter, text: str | None) -> dict[str, str]:
    from cliper.data.readers.columns import parse_columns

    return parse_columns(text, parameter.opts[0])


column_options = several(
    click.option(
        "--columns",
        callback=_columns,
        metavar="ROLE=NAME,…",
        help="user, item, rating, time of the log.",
    ),
    click.option(
        "--item-columns",
        callback=_columns,
        metavar="ROLE=NAME,…",
        help="item, image of the catalogue.",
    ),
    click.option(
        "--repeats",
        type=click.Choice(["last", "first", "any"]),
        default="any",
        show_default=True,
        help="Which rating of a user and an item counts.",
    ),
    click.option("--keep-html", is_flag=True, help="Leave tags and entities in texts."),
    click.option(
        "--image-choice",
        type=click.Choice(["first", "mean"]),
        default="first",
        show_default=True,
        help="Of several pictures an item: the first, or the mean of all.",
    ),
)

filter_options = several(
    click.option("--min-rating", type=float, help="Lower ratings are no positives."),
    click.option("--k-core", type=click.IntRange(min=0), default=5, show_default=True),
    click.option(
        "--keep-unbought", is_flag=True, help="Keep catalogue items that never occur in the log."
    ),
)


def _shown(prepare: F) -> F:
    """Make a command of a function that gives a dataset: it says what became of it."""

    @wraps(prepare)
    def run(out: Path, as_json: bool, **options: Any) -> None:
        keeps(KEPT)
        _show(prepare(out=out, **options), out, as_json)

    return cast(F, run)


dataset_options = several(
    click.option("--out", type=OUT, required=True, help="Dataset directory."), json_option, _shown
)
result_options = several(
    click.option("--name", help="For people; the directory's name by default."), dataset_options
)


def _show(dataset: "Dataset", out: Path, as_json: bool) -> None:
    """Print what was read, kept and dropped, and what there is to note."""
    from cliper.data import prepare_summary

    rows = prepare_summary(dataset)
    if as_json:
        summary = [{"group": g, "what": w, "count": n} for g, w, n in rows]
        print_json({**dataset.about, "path": str(out), "summary": summary})
        return
    cells = [[group, what, f"{count:,}"] for group, what, count in rows]
    print_table(["", "", "count"], cells, title=f"{dataset.name}: {out}", right=[2])
    for note in dataset.about.get("notes", []):
        say(f"note: {note}")
