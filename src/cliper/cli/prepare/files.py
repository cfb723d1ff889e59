"""`cliper prepare files`."""

from pathlib import Path

import click

from cliper.cli.prepare.group import KEPT, PATH, command, filter_options, result_options, show
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("files", group=command)
@click.option("--items", type=PATH, help="Catalogue, one row an item.")
@click.option("--interactions", type=PATH, required=True, help="user_id, item_id, …")
@click.option("--images", type=PATH, help="Folder that image paths start at.")
@filter_options
@result_options
def files(
    items: Path | None,
    interactions: Path,
    images: Path | None,
    min_rating: float | None,
    k_core: int,
    keep_unbought: bool,
    name: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """JSON Lines, CSV (also .gz) or Parquet in; everything dropped is counted by reason.

    \b
    Example:
      cliper prepare files --items items.jsonl --interactions log.csv \\
        --min-rating 4 --k-core 5 --out data/films
    """
    from cliper.data import prepare_files

    keeps(KEPT)
    dataset = prepare_files(
        items, interactions, images, out, min_rating, k_core, keep_unbought, name
    )
    show(dataset, out, as_json)
