"""`cliper prepare amazon`."""

from typing import TYPE_CHECKING, Any

import click

from cliper.cli.prepare.group import KEPT, PATH, command, filter_options, result_options
from cliper.cli.state import keeps
from cliper.cli.usage import verb

if TYPE_CHECKING:
    from cliper.data import Dataset


@verb("amazon", group=command)
@click.option("--year", type=click.Choice(["2014", "2018", "2023"]), required=True)
@click.option("--category", required=True, help="baby, sports, 'Toys & Games', …")
@click.option("--source", required=True, help="Folder with the files, or the address of one.")
@click.option(
    "--log", type=click.Choice(["5-core", "ratings", "reviews"]),
    help="Which log to read; by default the first of these that is there.",
)  # fmt: skip
@click.option("--images", type=PATH, help="Folder of pictures called after the item.")
@click.option(
    "--downloads", type=PATH,
    help="Where fetched files are kept; by default downloads/ beside the dataset.",
)  # fmt: skip
@click.option(
    "--max-download", type=click.FloatRange(min=0, min_open=True), default=64.0,
    show_default=True, metavar="GIB", help="Larger files are not fetched.",
)  # fmt: skip
@filter_options
@result_options
def amazon(year: str, max_download: float, **options: Any) -> "Dataset":
    """Amazon's metadata and ratings or reviews of one category, as officially published.

    With an address the files are fetched first; a later call goes on where that stopped. The
    pictures' addresses are kept for 'cliper images'. Baby, Sports and Clothing of 2014 are
    compared with the paper's Table 1.

    \b
    Example:
      cliper prepare amazon --year 2014 --category baby --source amazon/ --out data/baby
      cliper prepare amazon --year 2014 --category baby --out data/baby \\
        --source https://snap.stanford.edu/data/amazon/productGraph/categoryFiles
      cliper prepare amazon --year 2023 --category baby --out data/baby23 \\
        --source https://mcauleylab.ucsd.edu/public_datasets/data/amazon_2023
    """
    from cliper.data import prepare_amazon

    keeps(f"{KEPT}; what was fetched is kept")
    return prepare_amazon(int(year), max_bytes=int(max_download * 2**30), **options)
