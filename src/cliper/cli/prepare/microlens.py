"""`cliper prepare microlens`."""

from pathlib import Path

import click

from cliper.cli.prepare.group import KEPT, PATH, command, result_options, show
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("microlens", group=command)
@click.option("--source", type=PATH, required=True, help="Folder with the official files.")
@click.option("--images", type=PATH, help="Folder of covers; by default *_covers in the source.")
@click.option("--k-core", type=click.IntRange(min=0), default=5, show_default=True)
@click.option("--keep-unbought", is_flag=True, help="Keep videos that never occur in the log.")
@result_options
def microlens(
    source: Path,
    images: Path | None,
    k_core: int,
    keep_unbought: bool,
    name: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """MicroLens 50k, 100k or 1M: pairs, titles, categories, and the unpacked covers.

    \b
    Example:
      cliper prepare microlens --source MicroLens-100k-Dataset --out data/microlens
    """
    from cliper.data import prepare_microlens

    keeps(KEPT)
    dataset = prepare_microlens(
        source, out, images=images, k_core=k_core, keep_unbought=keep_unbought, name=name
    )
    show(dataset, out, as_json)
