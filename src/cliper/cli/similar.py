"""`cliper similar`: the nearest items of items."""

from pathlib import Path

import click

from cliper.cli.ids import require_known
from cliper.cli.output import json_option, print_json
from cliper.cli.ranked import print_ranked
from cliper.cli.usage import verb


@verb("similar", many=("--item",))
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--item", "items", multiple=True, required=True, metavar="ID…", help="Item ids.")
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True)
@json_option
def command(run: Path, items: tuple[str, ...], k: int, as_json: bool) -> None:
    """The k items whose representations are nearest (cosine) to each item's.

    \b
    Example:
      cliper similar runs/films --item 50 -k 5
    """
    from cliper.serving import Recommender

    recommender = Recommender.load(run, exact=True)
    require_known(recommender.items, items, "item", ["--item"] * len(items))
    rows = recommender.similar_items(items, k)
    if as_json:
        found = [
            {"item_id": r.query, "rank": r.rank, "similar_item_id": r.item_id, "score": r.score}
            for r in rows
        ]
        print_json({"run": str(run), "k": k, "similar": found})
        return
    print_ranked(recommender, rows, "item_id", "similar_item_id")
