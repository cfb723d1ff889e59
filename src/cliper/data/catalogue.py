"""`Catalogue`: what is known of each item, one column per metadata field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import pyarrow as pa

from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError, MismatchError

FieldValue = str | list[str] | None


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The metadata of N items, row i belongs to index i of `items`.

    Attributes:
        items: the item vocabulary.
        table: Arrow table with N rows, one column per field, each string or list<string>;
            null where the field is missing.
        images: paths relative to `image_root`, None where an item has no (usable) image.
        image_root: the folder that the image paths start from.
        image_urls: addresses of pictures (http or https) per item, the preferred first, empty
            where an item has none; None where the source names no address at all. They are no
            field: `cliper images` fetches them.
        more_images: further pictures of each item, of which with `images` the mean is taken; None
            where an item is represented by one.
    """

    items: Vocabulary
    table: pa.Table
    images: tuple[str | None, ...]
    image_root: Path
    image_urls: tuple[tuple[str, ...], ...] | None = None
    more_images: tuple[tuple[str, ...], ...] | None = None

    def __post_init__(self) -> None:
        if not len(self.items) == self.table.num_rows == len(self.images):
            raise MismatchError("a catalogue's table, images and vocabulary differ in length")
        if self.image_urls is not None and len(self.image_urls) != len(self.items):
            raise MismatchError("a catalogue's image addresses and vocabulary differ in length")
        if self.more_images is not None and len(self.more_images) != len(self.items):
            raise MismatchError("a catalogue's further images and vocabulary differ in length")

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the metadata fields, in the catalogue's order."""
        return tuple(self.table.column_names)

    def values(self, field: str) -> list[FieldValue]:
        """The N values of one field.

        Raises:
            InputError: the catalogue has no such field.
        """
        if field not in self.fields:
            known = ", ".join(self.fields) or "none"
            raise InputError(f"the catalogue has no field {field!r}", remedy=f"it has: {known}")
        result: list[FieldValue] = self.table.column(field).to_pylist()
        return result

    def image_paths(self) -> Sequence[Path | None]:
        """The N absolute image paths, None where there is none."""
        return _Paths(self.images, self.image_root)

    def all_image_paths(self) -> Sequence[Path | None]:
        """The same, and behind them those of `more_images`, item after item."""
        more = [name for names in self.more_images or () for name in names]
        return _Paths((*self.images, *more) if more else self.images, self.image_root)


class _Paths(Sequence[Path | None]):
    """Paths made when they are asked for: a million `Path` objects weigh over half a gigabyte."""

    def __init__(self, names: Sequence[str | None], root: Path) -> None:
        self._names = names
        self._root = root

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, at: int) -> Path | None: ...
    @overload
    def __getitem__(self, at: slice) -> "_Paths": ...
    def __getitem__(self, at: int | slice) -> "Path | _Paths | None":
        if isinstance(at, slice):
            return _Paths(self._names[at], self._root)
        name = self._names[at]
        return None if name is None else self._root / name
