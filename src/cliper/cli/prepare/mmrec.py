"""`cliper prepare mmrec`."""

from pathlib import Path

import click

from cliper.cli.options import OUT
from cliper.cli.output import json_option
from cliper.cli.prepare.group import KEPT, PATH, command, show
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("mmrec", group=command)
@click.option("--source", type=PATH, required=True, help="The folder.")
@click.option("--name", help="For people; the log's name by default.")
@click.option("--out", type=OUT, required=True, help="Dataset directory.")
@json_option
def mmrec(source: Path, name: str | None, out: Path, as_json: bool) -> None:
    """A folder of the MMRec toolbox: NAME.inter, image_feat.npy, text_feat.npy.

    Its split is kept and is then the default.

    \b
    Example:
      cliper prepare mmrec --source mmrec/baby --out data/baby
    """
    from cliper.data import prepare_mmrec

    keeps(KEPT)
    show(prepare_mmrec(source, out, name), out, as_json)
