"""`prepare files`: a catalogue and a log of interactions become a dataset directory."""

from collections.abc import Mapping
from pathlib import Path

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger
from cliper.data.readers.columns import named_items, named_log
from cliper.data.readers.formats import Format
from cliper.data.readers.interactions import Repeats
from cliper.errors import InputError


def prepare_files(
    items: Path | None,
    interactions: Path,
    images: Path | None,
    out: Path,
    min_rating: float | None = None,
    k_core: int = 5,
    keep_unbought: bool = False,
    name: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    item_columns: Mapping[str, str] | None = None,
    form: Format | None = None,
    repeats: Repeats = "any",
    keep_html: bool = False,
) -> Dataset:
    """Read, filter and check raw files, and write a dataset directory (see `assemble`).

    Args:
        items: catalogue (JSON Lines, CSV or Parquet), one row an item; None for none.
        interactions: log with `user_id`, `item_id`, perhaps `rating` and `timestamp`.
        images: folder that image paths start from; by default that of `items`. Where the catalogue
            has no column `image`, pictures named after the item id are looked for here.
        out: the dataset directory; an earlier dataset there is replaced.
        min_rating: lower ratings are no positives.
        k_core: every user and item keeps at least so many rows.
        keep_unbought: catalogue items that do not occur in the log at all stay.
        name: for people; by default the directory's name.
        columns: `user`, `item`, `rating`, `time` → what the log calls them, where that is none of
            the usual names.
        item_columns: `item`, `image` → what the catalogue calls them.
        form: how text files are written.
        repeats: which row of a user and an item decides whether they are a positive pair.
        keep_html: leave tags and entities in the catalogue's texts.

    Raises:
        InputError: broken input, nothing left, or `out` holds something else.
    """
    check_replaceable(Path(out))
    if items is None and (images is not None or keep_unbought):
        raise InputError("images and unbought items need a catalogue", remedy="give --items")
    filters = Filters(min_rating, k_core, keep_unbought, repeats, keep_html)
    form = form or Format()
    catalogue = None if items is None else named_items(Path(items), item_columns or {}, form)
    log = named_log(Path(interactions), columns or {}, form)
    pictures = None
    if items is not None:
        root = Path(items).parent if images is None else Path(images)
        pictures = Pictures(root, by_name=images is not None)
    return assemble(
        None if catalogue is None else catalogue.rows,
        log.rows,
        Path(out),
        filters,
        ledger=Ledger(),
        pictures=pictures,
        name=name,
        options={"repeats": repeats, "keep_html": keep_html},
        remarks=lambda _: {"notes": [*(catalogue.notes if catalogue else []), *log.notes]},
    )
