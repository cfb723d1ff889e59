"""Read a catalogue: one row an item, every other column a field."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from cliper.data.ledger import SAMPLES, Ledger
from cliper.data.readers.addresses import ADDRESS_COLUMNS, addresses, local_paths
from cliper.data.readers.fields import FieldColumn
from cliper.data.readers.general import require
from cliper.data.readers.rows import Chunk, Rows, Wanted
from cliper.data.readers.values import NO_ID, composed, to_ids
from cliper.errors import InputError

MAX_FIELDS = 1_000
ImageChoice = Literal["first", "mean"]
"""What represents an item with several pictures: the first, or the mean of all."""
_PLACES = ("image", *ADDRESS_COLUMNS)  # no texts


@dataclass(frozen=True, eq=False)
class RawCatalogue:
    """The wanted part of a catalogue as its file has it.

    Attributes:
        ids: wanted item ids (n,), each once, in the file's order.
        table: Arrow table (n rows) of the fields, string or list<string>.
        images: paths that the column `image` names (n,), or None when the file has no such column.
        n_read: rows of the file.
        image_urls: addresses of pictures (n,), the preferred first; None when no item has one.
        listed: every item id of the file, wanted or not, in its order.
        more_images: further paths (n,); None where the first alone is taken.
    """

    ids: list[str]
    table: pa.Table
    images: list[str | None] | None
    n_read: int
    image_urls: list[tuple[str, ...]] | None = None
    listed: Collection[str] = ()
    more_images: list[list[str]] | None = None


def read_items(
    source: Rows,
    ledger: Ledger,
    wanted: Wanted = lambda _: True,
    keep_html: bool = True,
    image_choice: ImageChoice = "first",
) -> RawCatalogue:
    """Read a catalogue with `item_id`, fields, and perhaps `image` (a path or http(s) address).

    Addresses may also stand in columns called `image_url` or `image_urls`. A row without an id (or
    with a word for a missing value, `NO_ID`) is dropped and counted; see `fields` for what becomes
    of the values.

    Args:
        source: whatever yields such rows.
        ledger: takes the counts of what is dropped or changed, of wanted items alone.
        wanted: of other items only the id is kept.
        keep_html: leave tags and entities in texts; else they are taken out and counted.
        image_choice: which of several pictures are kept.

    Raises:
        InputError: no `item_id`, an id that occurs twice (unless the source repeats them, then
            the first row stays and the others are counted), or a broken file.
    """
    ids: list[str] = []
    row_of: dict[str, int] = {}
    spelled: dict[str, set[str]] = {}  # as they came, of ids that came in another spelling
    fields: dict[str, FieldColumn] = {}
    n_read = 0
    for chunk in source.chunks(wanted):
        if not n_read:
            require(chunk.names, "item_id", source.name)
        n_read += len(chunk.numbers) + chunk.skipped
        _open_fields(chunk, fields, len(ids), ledger, source.name, keep_html)
        columns = {name: _values(chunk, name) for name in fields}
        missing: list[Any] = [None] * len(chunk.numbers)
        found = to_ids(chunk.columns.get("item_id", missing), chunk.numbers, source.name)
        for i, (read, row) in enumerate(
            zip(found.to_pylist(), chunk.numbers.tolist(), strict=True)
        ):
            item = composed(read)
            if not item:
                ledger.drop("items", "no item_id", 1, [f"row {row}"])
                continue
            if item in NO_ID:
                what = "item_id is a word for a missing value"
                ledger.drop("items", what, 1, [f"row {row}: {item}"])
                continue
            if item != read:
                what = "item_id written in Unicode's composed form (NFC)"
                ledger.change("items", what, 1, [f"row {row}: {item}"])
            if item in row_of:
                if read in spelled.setdefault(item, {item}) or source.repeats:
                    _again(source, item, row, row_of[item], ledger)
                else:
                    what = "the same item in another Unicode spelling, its first row stays"
                    ledger.drop("items", what, 1, [f"row {row}: {item}"])
                    spelled[item].add(read)
            else:
                row_of[item] = row
                if item != read:
                    spelled[item] = {read}
                if wanted(item):
                    ids.append(item)
                    for name, column in fields.items():
                        column.append(columns[name][i], f"row {row}")
    if not row_of:
        raise InputError("the file holds no items", where=source.name, remedy="add rows of items")
    image = fields.pop("image", None)
    address_columns = [fields.pop(name) for name in ADDRESS_COLUMNS if name in fields]
    table = pa.table({name: column.array() for name, column in fields.items()})
    if not fields:  # a table without columns has no rows, so it takes its length from the ids
        table = pa.table({"item_id": ids}).select([])
    paths = None if image is None else [local_paths(value) for value in image.values]
    several = [] if paths is None else [i for i, named in enumerate(paths) if len(named) > 1]
    samples = [f"item {ids[i]}" for i in several[:SAMPLES]]
    taken = "their mean" if image_choice == "mean" else "the first"
    ledger.change("images", f"several pictures named, {taken} is taken", len(several), samples)
    urls = addresses(image, address_columns, ids, ledger)
    images = None if paths is None else [next(iter(named), None) for named in paths]
    more = None
    if paths is not None and image_choice == "mean":
        more = [named[1:] for named in paths]
    return RawCatalogue(ids, table, images, n_read, urls, row_of.keys(), more)


def _again(source: Rows, item: str, row: int, first: int, ledger: Ledger) -> None:
    if not source.repeats:
        raise InputError(
            f"the item id {item!r} occurs twice, first in row {first}",
            where=f"{source.name}, row {row}",
            remedy="keep one row an item",
        )
    ledger.drop("items", "the same item again, its first row stays", 1, [f"row {row}: {item}"])


def _open_fields(
    chunk: Chunk,
    fields: dict[str, FieldColumn],
    rows_before: int,
    ledger: Ledger,
    where: str,
    keep_html: bool,
) -> None:
    rows = chunk.numbers if len(chunk.numbers) else [1]  # a header without rows
    for name in chunk.names:
        if name != "item_id" and name not in fields:
            if not name.strip() or not name.isprintable():
                raise InputError(
                    f"{name!r} cannot name a field",
                    where=f"{where}, row {rows[0]} or later",
                    remedy="name fields with printable characters",
                )
            fields[name] = FieldColumn(name, ledger, rows_before, keep_html or name in _PLACES)
    if len(fields) > MAX_FIELDS:
        raise InputError(
            f"more than {MAX_FIELDS} fields, up to row {rows[-1]}",
            where=where,
            remedy="put what varies from item to item into one field",
        )


def _values(chunk: Chunk, name: str) -> list[Any]:
    column = chunk.columns.get(name)
    if column is None:
        return [None] * len(chunk.numbers)
    if not isinstance(column, pa.Array):
        values: list[Any] = column
        return values
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):  # a date that Python cannot say
        values = column.cast(pa.string()).to_pylist()
    return values
