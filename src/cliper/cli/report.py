"""`cliper report`: a directory's results as one HTML file."""

from pathlib import Path

import click

from cliper.cli.output import json_option, print_json
from cliper.cli.usage import verb


@verb("report")
@click.argument("directory", type=click.Path(path_type=Path))
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Write a self-contained HTML report of a comparison (what `compare` left in --out).

    \b
    Example:
      cliper report out/films
    """
    from cliper.experiments.build_report import build_report

    path = build_report(directory)
    if as_json:
        print_json({"report": str(path)})
    else:
        click.echo(str(path))
