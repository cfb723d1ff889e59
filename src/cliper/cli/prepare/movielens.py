"""`cliper prepare movielens`."""

from pathlib import Path

import click

from cliper.cli.prepare.group import KEPT, PATH, command, filter_options, result_options, show
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("movielens", group=command)
@click.option("--source", type=PATH, required=True, help="The unpacked folder, ml-100k or ml-1m.")
@click.option("--images", type=PATH, help="Folder of posters called MOVIE_ID.jpg.")
@filter_options
@result_options
def movielens(
    source: Path,
    images: Path | None,
    min_rating: float | None,
    k_core: int,
    keep_unbought: bool,
    name: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """MovieLens 100k or 1M, told by its files, with posters if you have them.

    \b
    Example:
      cliper prepare movielens --source ml-100k --images posters --min-rating 4 --out data/films
    """
    from cliper.data import prepare_movielens

    keeps(KEPT)
    dataset = prepare_movielens(
        source,
        out,
        images=images,
        min_rating=min_rating,
        k_core=k_core,
        keep_unbought=keep_unbought,
        name=name,
    )
    show(dataset, out, as_json)
