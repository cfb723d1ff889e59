"""`cliper report`: a directory's results as one HTML file."""

from pathlib import Path

import click

from cliper.cli.output import json_option, print_json, say
from cliper.cli.usage import verb


@verb("report")
@click.argument("directory", type=click.Path(path_type=Path))
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Write a self-contained HTML report of what lies in a directory.

    A run, or comparisons, studies and searches, in the directory itself or in its folders.

    \b
    Example:
      cliper compare data/films --backbones freedom --seeds 5 --split random --out out/random
      cliper study views data/films --split cold-item --out out/studies
      cliper report out
    """
    from cliper.experiments.reports.build import build_report

    path = build_report(directory)
    if as_json:
        print_json({"report": str(path)})
    else:
        say(str(path))
