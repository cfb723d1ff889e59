"""The group, the options that all sources share, and what is shown in the end."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cliper.cli.options import OUT
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.usage import VerbGroup

if TYPE_CHECKING:
    from cliper.data import Dataset

KEPT = "no dataset was written, an earlier one is as it was; run the same command again"
PATH = click.Path(path_type=Path)


@click.group("prepare", cls=VerbGroup)
def command() -> None:
    """Turn raw files into a dataset directory."""


def column_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--columns`, `--item-columns`, `--repeats`, `--keep-html`, `--image-choice`."""
    for option in (
        click.option(
            "--image-choice",
            type=click.Choice(["first", "mean"]),
            default="first",
            show_default=True,
            help="Of several pictures an item: the first, or the mean of all.",
        ),
        click.option("--keep-html", is_flag=True, help="Leave tags and entities in texts."),
        click.option(
            "--repeats",
            type=click.Choice(["last", "first", "any"]),
            default="any",
            show_default=True,
            help="Which rating of a user and an item counts.",
        ),
        click.option("--item-columns", metavar="ROLE=NAME,…", help="item, image of the catalogue."),
        click.option(
            "--columns", metavar="ROLE=NAME,…", help="user, item, rating, time of the log."
        ),
    ):
        function = option(function)
    return function


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--min-rating`, `--k-core`, `--keep-unbought`."""
    for option in (
        click.option(
            "--keep-unbought",
            is_flag=True,
            help="Keep catalogue items that never occur in the log.",
        ),
        click.option("--k-core", type=click.IntRange(min=0), default=5, show_default=True),
        click.option("--min-rating", type=float, help="Lower ratings are no positives."),
    ):
        function = option(function)
    return function


def result_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--name`, `--out`, `--json`."""
    for option in (
        json_option,
        click.option("--out", type=OUT, required=True, help="Dataset directory."),
        click.option("--name", help="For people; the directory's name by default."),
    ):
        function = option(function)
    return function


def show(dataset: "Dataset", out: Path, as_json: bool) -> None:
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
