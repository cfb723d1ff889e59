"""`cliper prepare microlens`."""

from typing import TYPE_CHECKING, Any

import click

from cliper.cli.prepare.group import PATH, command, result_options
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data import Dataset


@verb("microlens", group=command)
@click.option("--source", type=PATH, required=True, help="Folder with the official files.")
@click.option("--images", type=PATH, help="Folder of covers; by default *_covers in the source.")
@click.option("--k-core", type=click.IntRange(min=0), default=5, show_default=True)
@click.option("--keep-unbought", is_flag=True, help="Keep videos that never occur in the log.")
@result_options
def microlens(**options: Any) -> "Dataset":
    """MicroLens 50k, 100k or 1M: pairs, titles, categories, and the unpacked covers.

    \b
    Example:
      cliper prepare microlens --source MicroLens-100k-Dataset --out data/microlens
    """
    from cliper.data import prepare_microlens

    return prepare_microlens(**options)
