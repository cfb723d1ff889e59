"""`cliper prepare files`."""

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
def files(
    items: Path | None,
    interactions: Path,
    images: Path | None,
    columns: str | None,
    item_columns: str | None,
    delimiter: str | None,
    decimal: str,
    encoding: str,
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
    from cliper.data.readers.columns import parse_columns
    from cliper.data.readers.formats import Format

    keeps(KEPT)
    dataset = prepare_files(
        items, interactions, images, out,
        columns=parse_columns(columns, "--columns"),
        item_columns=parse_columns(item_columns, "--item-columns"),
        form=Format(delimiter, decimal, encoding),
        min_rating=min_rating, k_core=k_core, keep_unbought=keep_unbought, name=name,
        repeats=repeats, keep_html=keep_html, image_choice=image_choice,
    )  # fmt: skip
    show(dataset, out, as_json)
