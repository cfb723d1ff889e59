"""`cliper prepare sql`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cliper.cli.prepare.group import (
    KEPT,
    PATH,
    column_options,
    command,
    filter_options,
    result_options,
    show,
)
from cliper.cli.state import keeps
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data.readers.interactions import Repeats
    from cliper.data.readers.items import ImageChoice


@verb("sql", group=command)
@click.option("--database", "address", required=True, envvar="CLIPER_DATABASE", metavar="ADDRESS",
              help="As SQLAlchemy writes it; or $CLIPER_DATABASE.")  # fmt: skip
@click.option("--items", metavar="QUERY", help="Catalogue, one row an item.")
@click.option("--interactions", metavar="QUERY", required=True, help="user_id, item_id, …")
@click.option("--images", type=PATH, help="Folder that image paths start at.")
@column_options
@filter_options
@result_options
def sql(
    address: str,
    items: str | None,
    interactions: str,
    images: Path | None,
    columns: str | None,
    item_columns: str | None,
    repeats: "Repeats",
    keep_html: bool,
    image_choice: "ImageChoice",
    min_rating: float | None,
    k_core: int,
    keep_unbought: bool,
    name: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """What two queries give, from any database that SQLAlchemy knows; nothing is written there.

    \b
    Example:
      cliper prepare sql --database sqlite:///shop.db \\
        --items 'SELECT sku, title, brand, picture AS image FROM products' \\
        --interactions 'SELECT customer, sku, ordered_at FROM orders' --out data/shop
    """
    from cliper.data import prepare_sql
    from cliper.data.readers.columns import parse_columns

    keeps(KEPT)
    dataset = prepare_sql(
        address, items, interactions, out, images,
        columns=parse_columns(columns, "--columns"),
        item_columns=parse_columns(item_columns, "--item-columns"),
        min_rating=min_rating, k_core=k_core, keep_unbought=keep_unbought, name=name,
        repeats=repeats, keep_html=keep_html, image_choice=image_choice,
    )  # fmt: skip
    show(dataset, out, as_json)
