"""Read a catalogue: one row an item, every other column a field."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from cliper.data.ledger import Ledger
from cliper.data.readers.addresses import ADDRESS_COLUMNS, addresses, local_path
from cliper.data.readers.chunks import Chunk, read_chunks, require
from cliper.data.readers.fields import FieldColumn
from cliper.data.readers.formats import recognise
from cliper.data.readers.values import to_ids
from cliper.errors import InputError
from cliper.progress import task

_CHUNK = 256  # rows of text can be long
MAX_FIELDS = 1_000


@dataclass(frozen=True, eq=False)
class RawCatalogue:
    """The catalogue as its file has it.

    Attributes:
        ids: item ids (n,), each once, in the file's order.
        table: Arrow table (n rows) of the fields, string or list<string>.
        images: paths that the column `image` names (n,), or None when the file has no such column.
        n_read: rows of the file.
        image_urls: addresses of pictures (n,), the preferred first; None when no item has one.
    """

    ids: list[str]
    table: pa.Table
    images: list[str | None] | None
    n_read: int
    image_urls: list[tuple[str, ...]] | None = None


def read_items(path: Path, ledger: Ledger) -> RawCatalogue:
    """Read a file with `item_id`, fields, and perhaps `image` (a path or an http(s) address).

    Addresses may also stand in columns called `image_url` or `image_urls`. A row without an id is
    dropped and counted; see `fields` for what becomes of the values.

    Raises:
        InputError: no `item_id`, an id that occurs twice, or a broken file (see `read_chunks`).
    """
    source = recognise(path)
    ids: list[str] = []
    row_of: dict[str, int] = {}
    fields: dict[str, FieldColumn] = {}
    n_read = 0
    with task(f"reading {path.name}") as progress:
        for chunk in read_chunks(source, _CHUNK):
            if not n_read:
                require(chunk.names, "item_id", source)
            n_read += len(chunk.numbers)
            _open_fields(chunk, fields, len(ids), ledger, source.name)
            columns = {name: _values(chunk, name) for name in fields}
            missing: list[Any] = [None] * len(chunk.numbers)
            found = to_ids(chunk.columns.get("item_id", missing), chunk.numbers, source.name)
            for i, (item, row) in enumerate(
                zip(found.to_pylist(), chunk.numbers.tolist(), strict=True)
            ):
                if not item:
                    ledger.drop("items", "no item_id", 1, [f"row {row}"])
                    continue
                if item in row_of:
                    raise InputError(
                        f"the item id {item!r} occurs twice, first in row {row_of[item]}",
                        where=f"{source.name}, row {row}",
                        remedy="keep one row an item",
                    )
                row_of[item] = row
                ids.append(item)
                for name, column in fields.items():
                    column.append(columns[name][i], f"row {row}")
            progress.advance(len(chunk.numbers))
    if not ids:
        raise InputError("the file holds no items", where=source.name, remedy="add rows of items")
    image = fields.pop("image", None)
    address_columns = [fields.pop(name) for name in ADDRESS_COLUMNS if name in fields]
    table = pa.table({name: column.array() for name, column in fields.items()})
    if not fields:  # a table without columns has no rows, so it takes its length from the ids
        table = pa.table({"item_id": ids}).select([])
    images = None if image is None else [local_path(value) for value in image.values]
    urls = addresses(image, address_columns, ids, ledger)
    return RawCatalogue(ids, table, images, n_read, urls)


def _open_fields(
    chunk: Chunk, fields: dict[str, FieldColumn], rows_before: int, ledger: Ledger, where: str
) -> None:
    for name in chunk.names:
        if name != "item_id" and name not in fields:
            if not name.strip() or not name.isprintable():
                raise InputError(
                    f"{name!r} cannot name a field",
                    where=f"{where}, row {chunk.numbers[0]} or later",
                    remedy="name fields with printable characters",
                )
            fields[name] = FieldColumn(name, ledger, rows_before)
    if len(fields) > MAX_FIELDS:
        raise InputError(
            f"more than {MAX_FIELDS} fields, up to row {chunk.numbers[-1]}",
            where=where,
            remedy="put what varies from item to item into one field",
        )


def _values(chunk: Chunk, name: str) -> list[Any]:
    column = chunk.columns.get(name)
    if column is None:
        return [None] * len(chunk.numbers)
    values: list[Any] = column.to_pylist() if isinstance(column, pa.Array) else column
    return values
