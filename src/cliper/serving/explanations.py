"""Why each item of an answer: the history's shares, and the views' where they are known."""

from collections.abc import Sequence
from dataclasses import replace

from cliper.scoring import Scorer
from cliper.serving.answer import Reasons
from cliper.serving.best import Best
from cliper.serving.new_items import NewItems
from cliper.serving.reasons import history_reasons
from cliper.serving.shelf import Shelf
from cliper.serving.view_shares import view_reasons
from cliper.types import IndexArray


def explanations(
    shelf: Shelf,
    maker: NewItems | None,
    scorer: Scorer,
    rows: IndexArray,
    histories: Sequence[IndexArray],
    best: Sequence[Best],
) -> list[list[Reasons]]:
    """Reasons for every item of every user's list.

    Args:
        shelf: the items.
        maker: knows their views; None leaves the views out.
        scorer: whose users `rows` (B,) are.
        histories: item indices that each user has.
        best: each user's list.

    Raises:
        InputError: the model cannot say what a score rests on.
    """
    found = []
    for row, history, (items, _) in zip(rows, histories, best, strict=True):
        reasons = history_reasons(shelf.fold_in, shelf.items, history, items)
        if maker is not None:
            views = view_reasons(maker, scorer, int(row), shelf.items.ids(items))
            reasons = [replace(r, views=v) for r, v in zip(reasons, views, strict=True)]
        found.append(reasons)
    return found
