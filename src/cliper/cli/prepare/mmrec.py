"""`cliper prepare mmrec`."""

from typing import TYPE_CHECKING, Any

import click

from cliper.cli.prepare.group import PATH, command, dataset_options
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data import Dataset


@verb("mmrec", group=command)
@click.option("--source", type=PATH, required=True, help="The folder.")
@click.option("--name", help="For people; the log's name by default.")
@dataset_options
def mmrec(**options: Any) -> "Dataset":
    """A folder of the MMRec toolbox: NAME.inter, image_feat.npy, text_feat.npy.

    Its split is kept and is then the default.

    \b
    Example:
      cliper prepare mmrec --source mmrec/baby --out data/baby
    """
    from cliper.data import prepare_mmrec

    return prepare_mmrec(**options)
