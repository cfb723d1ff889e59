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
    title = recommender.shelf.title
    cells = [
        [r.query, str(r.rank), r.item_id, f"{r.score:.4f}", title(r.item_id)[:SHOWN]] for r in rows
    ]
    print_table([query, "rank", found, "score", "title"], cells, right=[1, 3])
