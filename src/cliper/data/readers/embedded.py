"""Pictures that lie inside of a table, as bytes: each becomes a file that its item names.

Hugging Face's `datasets` and Parquet files on its hub hold `{bytes, path}`, databases plain bytes.
"""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from cliper.data.readers.rows import Advance, Chunk, Rows, Wanted
from cliper.data.readers.values import composed, to_ids
from cliper.files import temporary_folder

MARK = "embedded:"
"""Before the name of a picture that lies in `Embedded.folder`."""


class Embedded(ExitStack):
    """Where they are written while a dataset is prepared; gone afterwards.

    Args:
        out: the dataset's directory; the folder is beside it, so that pictures can be linked.

    Attributes:
        folder: made when the first picture comes; None before.
    """

    def __init__(self, out: Path) -> None:
        super().__init__()
        self._out = out
        self.folder: Path | None = None

    def rows(self, rows: Rows) -> Rows:
        """The same rows with names in the column `image` where there were bytes."""
        return replace(rows, read=partial(self._read, rows))

    def _read(self, under: Rows, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        for chunk in under.read(advance, wanted):
            images, ids = chunk.columns.get("image"), chunk.columns.get("item_id")
            if ids is None or not isinstance(images, pa.Array) or not _holds_bytes(images.type):
                yield chunk
                continue
            items = to_ids(ids, chunk.numbers, under.name).to_pylist()
            names = [
                self._named(image.as_py()) if wanted(composed(item)) else None
                for item, image in zip(items, images, strict=True)
            ]
            yield replace(chunk, columns={**chunk.columns, "image": names})

    def _named(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._named(one) for one in value]
        path = None
        if isinstance(value, dict):
            value, path = value.get("bytes"), value.get("path")
        return path if value is None else MARK + self._write(value)

    def _write(self, data: bytes) -> str:
        if self.folder is None:
            self.folder = self.enter_context(temporary_folder(self._out.resolve())).resolve()
        name = hashlib.sha256(data).hexdigest()
        file = self.folder / name
        if not file.exists():
            file.write_bytes(data)
        return name


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _holds_bytes(kind.field(at).type)
    views = pa.types.is_binary_view(kind)
    return bool(views or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
