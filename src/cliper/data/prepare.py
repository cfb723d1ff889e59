"""A catalogue and a log of interactions, wherever they are, become a dataset directory."""

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger
from cliper.data.readers.columns import named_items, named_log
from cliper.data.readers.embedded import Embedded
from cliper.data.readers.formats import Format
from cliper.data.readers.interactions import Repeats
from cliper.data.readers.items import ImageChoice
from cliper.data.readers.rows import Role
from cliper.data.readers.saved import saved_table
from cliper.data.readers.sql import database
from cliper.data.readers.tables import Table, file_table, frame_table
from cliper.errors import InputError


class Options(TypedDict, total=False):
    """What a user may choose, wherever the tables are.

    Keys:
        min_rating: lower ratings are no positives.
        k_core: every user and item keeps at least so many rows; 5 by default.
        keep_unbought: catalogue items that do not occur in the log at all stay.
        name: for people; by default the directory's name.
        columns: `user`, `item`, `rating`, `time` → what the log calls them, where that is none of
            the usual names.
        item_columns: `item`, `image` → what the catalogue calls them.
        repeats: which row of a user and an item decides whether they are a positive pair; `any` by
            default.
        keep_html: leave tags and entities in the catalogue's texts.
        image_choice: an item with several pictures is represented by the `first`, or by the `mean`
            of their encodings.
    """

    min_rating: float | None
    k_core: int
    keep_unbought: bool
    name: str | None
    columns: Mapping[str, str] | None
    item_columns: Mapping[str, str] | None
    repeats: Repeats
    keep_html: bool
    image_choice: ImageChoice


def prepare_files(
    items: Path | None,
    interactions: Path,
    images: Path | None,
    out: Path,
    *,
    form: Format | None = None,
    **options: Unpack[Options],
) -> Dataset:
    """Read, filter and check raw files, and write a dataset directory (see `assemble`).

    Args:
        items: catalogue (JSON Lines, CSV or Parquet, or a folder that `save_to_disk` of Hugging
            Face's datasets wrote), one row an item; None for none.
        interactions: log, likewise, with `user_id`, `item_id`, perhaps `rating` and `timestamp`.
        images: folder that image paths start from; by default that of `items`. Where the catalogue
            has no column `image`, pictures named after the item id are looked for here.
        out: the dataset directory; an earlier dataset there is replaced.
        form: how text files are written.
        options: see `Options`.

    Raises:
        InputError: broken input, nothing left, or `out` holds something else.
    """
    form = form or Format()

    def table(path: Path, role: Role) -> Table:
        return saved_table(path, role) if path.is_dir() else file_table(path, form, role)

    beside = Path() if items is None else Path(items).parent
    return _prepare(
        None if items is None else lambda: table(Path(items), "items"),
        lambda: table(Path(interactions), "interactions"),
        out, images, beside, form.decimal, **options,
    )  # fmt: skip


def prepare_frames(
    items: Any | None,
    interactions: Any,
    out: Path | str | None = None,
    images: Path | str | None = None,
    **options: Unpack[Options],
) -> Dataset:
    """`prepare_files` for data frames: the same rows make the same dataset.

    Args:
        items: a catalogue of pandas, Polars, Arrow or whatever else speaks the Arrow PyCapsule
            interface (`__arrow_c_stream__`), one row an item; None for none.
        interactions: a log, likewise.
        out: the dataset directory; without one the dataset is gone when Python ends.
        images: folder that image paths start from; by default the working directory.
        options: see `Options`.

    Raises:
        InputError: no frames, broken input, nothing left, or `out` holds something else.

    >>> import pyarrow as pa
    >>> log = pa.table({"user": ["u", "u", "v"], "sku": [10, 11, 11]})
    >>> prepare_frames(None, log, k_core=0).items.ids()
    ['10', '11']
    """
    if out is None:
        folder = Path(tempfile.mkdtemp(prefix="cliper-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        out = folder / (options.get("name") or "frames")
    return _prepare(
        None if items is None else lambda: frame_table(items, "items"),
        lambda: frame_table(interactions, "interactions"),
        out, images, **options,
    )  # fmt: skip


def prepare_sql(
    address: str,
    items: str | None,
    interactions: str,
    out: Path,
    images: Path | None = None,
    **options: Unpack[Options],
) -> Dataset:
    """`prepare_files` for what two queries give: the same rows make the same dataset.

    Args:
        address: of the database, as SQLAlchemy writes it: `sqlite:///shop.db`. Nothing is written.
        items: the query of the catalogue; None for none.
        interactions: the query of the log.
        out: the dataset directory; an earlier dataset there is replaced.
        images: folder that image paths start from; by default the working directory. A column
            `image` may also hold the pictures themselves.
        options: see `Options`.

    Raises:
        InputError: the database or a query is refused, broken input, nothing left, or `out` holds
            something else.
    """
    with database(address) as opened:
        return _prepare(
            None if items is None else lambda: opened.table(items, "items"),
            lambda: opened.table(interactions, "interactions"),
            out, images, **options,
        )  # fmt: skip


def _prepare(
    items: Callable[[], Table] | None,
    interactions: Callable[[], Table],
    out: Path | str,
    images: Path | str | None,
    beside: Path = Path(),
    decimal: str = ".",
    *,
    min_rating: float | None = None,
    k_core: int = 5,
    keep_unbought: bool = False,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    item_columns: Mapping[str, str] | None = None,
    repeats: Repeats = "any",
    keep_html: bool = False,
    image_choice: ImageChoice = "first",
) -> Dataset:
    """The same wherever the tables are: they are opened once the options are known to be good."""
    out = Path(out)
    check_replaceable(out)
    if items is None and (images is not None or keep_unbought):
        raise InputError("images and unbought items need a catalogue", remedy="give --items")
    filters = Filters(min_rating, k_core, keep_unbought, repeats, keep_html, image_choice)
    pictures = Pictures(beside if images is None else Path(images), by_name=images is not None)
    catalogue = None if items is None else named_items(items(), item_columns or {})
    log = named_log(interactions(), columns or {}, decimal)
    with Embedded(out) as embedded:
        return assemble(
            None if catalogue is None else embedded.rows(catalogue.rows),
            log.rows,
            out,
            filters,
            ledger=Ledger(),
            pictures=None if catalogue is None else replace(pictures, embedded=embedded),
            name=name,
            options={"repeats": repeats, "keep_html": keep_html, "image_choice": image_choice},
            remarks=lambda _: {"notes": [*(catalogue.notes if catalogue else []), *log.notes]},
        )
