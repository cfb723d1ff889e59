"""A shelf with items that came or changed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cliper.serving.new_items import NewItems, described
from cliper.serving.shelf import Shelf


def stocked(
    shelf: Shelf,
    items: Sequence[Mapping[str, Any]],
    trained: int,
    maker: Callable[[], NewItems],
) -> Shelf:
    """A shelf with these items, in place of those with the same ids.

    Args:
        shelf: as it was.
        items: with an `item_id` each; one of the training gets new fields and scores as it did.
        trained: N of the training catalogue, the first on the shelf.
        maker: asked for where an item is not of the training.

    Raises:
        InputError: an unknown field, a picture that cannot be used, or a model that takes no items.
    """
    rows = shelf.items.find([item["item_id"] for item in items])
    is_trained = (rows >= 0) & (rows < trained)
    known = [item for item, old in zip(items, is_trained, strict=True) if old]
    others = [item for item, old in zip(items, is_trained, strict=True) if not old]
    if known:
        shelf = shelf.described(rows[is_trained], described(known, shelf.known_fields().table))
    if not others:
        return shelf
    makes = maker()
    new = described(others, makes.catalogue.table)
    again = rows[rows >= trained]
    shelf = shelf.dropped(again) if len(again) else shelf
    for part, grown in makes.grown(new):
        shelf = shelf.with_items(part, grown, trained)
    return shelf
