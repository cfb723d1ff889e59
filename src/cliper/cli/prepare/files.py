"""`cliper prepare files`."""

from typing import TYPE_CHECKING, Any

import click

from cliper.cli.prepare.group import PATH, column_options, command, filter_options, result_options
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data import Dataset


@verb("files", group=command)
@click.option("--items", type=PATH, help="Catalogue, one row an item.")
@click.option("--interactions", type=PATH, required=True, help="user_id, item_id, …")
@click.option("--images", type=PATH, help="Folder that image paths start at.")
@click.option("--delimiter", metavar="SIGN", help="Of CSV files; by their ending.")
@click.option("--decimal", default=".", show_default=True, metavar="SIGN", help="Of ratings.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files.")
@column_options
@filter_options
@result_options
def files(delimiter: str | None, decimal: str, encoding: str, **options: Any) -> "Dataset":
    """JSON, CSV (also .gz, .zst, .zip), Parquet, or a folder of Hugging Face's datasets in.

    Everything dropped is counted by reason.

    \b
    Example:
      cliper prepare files --items items.jsonl --interactions log.csv \\
        --min-rating 4 --k-core 5 --out data/films
      cliper prepare files --interactions orders.csv --delimiter ';' \\
        --columns user=customer,item=sku,time=ordered_at --out data/orders
    """
    from cliper.data import prepare_files
    from cliper.data.readers.formats import Format

    return prepare_files(form=Format(delimiter, decimal, encoding), **options)
