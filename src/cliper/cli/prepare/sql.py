"""`cliper prepare sql`."""

from typing import TYPE_CHECKING, Any

import click

from cliper.cli.prepare.group import PATH, column_options, command, filter_options, result_options
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data import Dataset


@verb("sql", group=command)
@click.option("--database", "address", required=True, envvar="CLIPER_DATABASE", metavar="ADDRESS",
              help="As SQLAlchemy writes it; or $CLIPER_DATABASE.")  # fmt: skip
@click.option("--items", metavar="QUERY", help="Catalogue, one row an item.")
@click.option("--interactions", metavar="QUERY", required=True, help="user_id, item_id, …")
@click.option("--images", type=PATH, help="Folder that image paths start at.")
@column_options
@filter_options
@result_options
def sql(**options: Any) -> "Dataset":
    """What two queries give, from any database that SQLAlchemy knows; nothing is written there.

    \b
    Example:
      cliper prepare sql --database sqlite:///shop.db \\
        --items 'SELECT sku, title, brand, picture AS image FROM products' \\
        --interactions 'SELECT customer, sku, ordered_at FROM orders' --out data/shop
    """
    from cliper.data.prepare import prepare_sql

    return prepare_sql(**options)
