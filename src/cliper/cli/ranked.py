"""Ranked items as a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cliper.cli.ids import SHOWN
from cliper.cli.output import print_table

if TYPE_CHECKING:
    from cliper.serving import Recommendation, Recommender


def print_ranked(
    recommender: "Recommender", rows: Sequence["Recommendation"], query: str, found: str
) -> None:
    """Print answers under these names of the query and of the item that was found."""
    titles = recommender.shelf.titles([r.item_id for r in rows])
    cells = [
        [r.query, str(r.rank), r.item_id, f"{r.score:.4f}", title[:SHOWN]]
        for r, title in zip(rows, titles, strict=True)
    ]
    print_table([query, "rank", found, "score", "title"], cells, right=[1, 3])
