"""`cliper prepare movielens`."""

from typing import TYPE_CHECKING, Any

import click

from cliper.cli.prepare.group import PATH, command, filter_options, result_options
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data import Dataset


@verb("movielens", group=command)
@click.option("--source", type=PATH, required=True, help="The unpacked folder, ml-100k or ml-1m.")
@click.option("--images", type=PATH, help="Folder of posters called MOVIE_ID.jpg.")
@filter_options
@result_options
def movielens(**options: Any) -> "Dataset":
    """MovieLens 100k or 1M, told by its files, with posters if you have them.

    \b
    Example:
      cliper prepare movielens --source ml-100k --images posters --min-rating 4 --out data/films
    """
    from cliper.data import prepare_movielens

    return prepare_movielens(**options)
