"""`prepare microlens`: MicroLens' pairs, titles, categories and covers.

Pairs are `MicroLens-<size>_pairs.csv` (user, item, time in milliseconds), or the `.tsv` of the
same name: a user, a tab and the items in order of time, parted by blanks. Titles are
`MicroLens-<size>_title_en.csv` (`_titles.csv`, `_title.csv`), categories `tags_to_summary.csv`,
both an id and a text a line without a header. Covers lie in `MicroLens-<size>_covers`.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger, Section
from cliper.data.readers.chunks import Chunk
from cliper.data.readers.formats import reading, text_lines
from cliper.data.readers.rows import Advance, LogSource, Wanted
from cliper.data.readers.values import composed
from cliper.data.sources.clean import clean_text
from cliper.data.sources.delimited import Delimited
from cliper.data.sources.lines import Broken, line_batches
from cliper.errors import InputError

_NAMES = {
    "user": "user_id", "userid": "user_id", "user_id": "user_id",
    "item": "item_id", "itemid": "item_id", "item_id": "item_id", "videoid": "item_id",
    "timestamp": "timestamp",
}  # fmt: skip
_TITLES = ("title_en", "titles", "title")
_TAGS = "tags_to_summary.csv"


def prepare_microlens(
    source: Path,
    out: Path,
    *,
    images: Path | None = None,
    k_core: int = 5,
    keep_unbought: bool = False,
    name: str | None = None,
) -> Dataset:
    """Read MicroLens' files, and write a dataset directory.

    Fields: `title`, and `categories` where there is `tags_to_summary.csv`. A video without a
    title stays: it has a cover. Interactions have no rating.

    Args:
        source: the folder of one size.
        out: the dataset directory; an earlier dataset there is replaced.
        images: a folder of covers called `<video id>.jpg`; by default `*_covers` in `source`, if
            it is there.
        k_core, keep_unbought: see `Filters`.
        name: for people; by default the directory's name.

    Raises:
        InputError: a missing or damaged file, several sizes, nothing left.
    """
    source, out = Path(source), Path(out)
    check_replaceable(out)
    filters = Filters(None, k_core, keep_unbought)
    ledger = Ledger()
    pairs = _pairs(source)
    size = pairs.name.removeprefix("MicroLens-").partition("_")[0]
    covers = images if images is not None else source / f"MicroLens-{size}_covers"
    return assemble(
        Videos(_titles(source, size), _existing(source / _TAGS), ledger),
        _log(pairs, ledger),
        out,
        filters,
        ledger=ledger,
        pictures=Pictures(Path(covers), by_name=True)
        if images is not None or covers.is_dir()
        else None,
        name=name,
        keep_unlisted=True,
        options={"size": size},
    )


def _pairs(source: Path) -> Path:
    if not source.is_dir():
        raise InputError("no such folder", where=str(source), remedy="name the files' folder")
    for ending in ("csv", "tsv"):
        found = sorted(source.glob(f"MicroLens-*_pairs.{ending}"))
        if len(found) > 1:
            raise InputError(
                f"pairs of several sizes: {', '.join(path.name for path in found)}",
                where=str(source),
                remedy="one folder a size",
            )
        if found:
            return found[0]
    raise InputError(
        "no pairs",
        where=str(source),
        remedy="MicroLens-100k_pairs.csv or .tsv is needed (or of another size)",
    )


def _titles(source: Path, size: str) -> Path:
    for ending in _TITLES:
        path = source / f"MicroLens-{size}_{ending}.csv"
        if path.is_file():
            return path
    raise InputError(
        f"no titles of MicroLens-{size}",
        where=str(source),
        remedy=f"MicroLens-{size}_title_en.csv is needed",
    )


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _log(path: Path, ledger: Ledger) -> LogSource:
    if path.suffix == ".tsv":
        return Histories(path, ledger)
    with reading(str(path)), path.open("rb") as stream:
        header = stream.readline(4_096).decode("utf-8-sig", errors="replace")
    named = {one.strip(): _NAMES.get(one.strip().lower(), "") for one in header.split(",")}
    columns = {theirs: ours for theirs, ours in named.items() if ours}
    for needed in ("user_id", "item_id"):
        if needed not in columns.values():
            raise InputError(
                f"no column for {needed!r}",
                where=f"{path}, line 1",
                remedy="its first line should be user,item,timestamp",
            )
    return Delimited(path, ",", columns, ledger, header=True)


@dataclass(frozen=True)
class Histories:
    """The `.tsv`: a user's items in order. A pair's time is its place in that order.

    Attributes:
        path: the file.
        ledger: takes broken lines.
    """

    path: Path
    ledger: Ledger

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"interactions": self.path}

    def chunks(self, advance: Advance) -> Iterator[Chunk]:
        """One row a pair, numbered by its line."""
        broken = Broken(self.ledger, "rows")
        number = 0
        source = text_lines(self.path)
        with reading(source.name), source.open(advance) as stream:
            for batch in line_batches(stream):
                rows: list[tuple[int, str, str, str]] = []
                skipped = 0
                for line in batch:
                    number += 1
                    text = broken.text(line, number)
                    if text == "":
                        continue
                    user, _, items = (text or "").partition("\t")
                    if items.strip():
                        rows += [(number, user, v, str(i)) for i, v in enumerate(items.split())]
                        continue
                    skipped += 1
                    if text is not None:
                        broken.drop("not a user, a tab and items", number, text)
                by_column: list[Any] = list(zip(*rows, strict=True)) or [()] * 4
                names = ("user_id", "item_id", "timestamp")
                columns = {n: list(v) for n, v in zip(names, by_column[1:], strict=True)}
                yield Chunk(np.array(by_column[0], np.int64), columns, list(columns), skipped)


@dataclass(frozen=True)
class Videos:
    """Titles, with the categories of those that have one.

    Attributes:
        titles: the file of titles.
        tags: the file of categories, if there is one.
        ledger: takes broken lines.
    """

    titles: Path
    tags: Path | None
    ledger: Ledger
    repeats: bool = True
    _size: int = field(default=1_024, repr=False)

    @property
    def name(self) -> str:
        """The path of the titles."""
        return str(self.titles)

    @property
    def files(self) -> Mapping[str, Path]:
        """One or two files."""
        return {"items": self.titles} | ({"categories": self.tags} if self.tags else {})

    def chunks(self, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        """Videos that have a title, then those that have a category alone."""
        tags: dict[str, str] = {}
        if self.tags is not None:
            for _, item, tag in self._lines(self.tags, "fields", lambda _: None):
                if item is not None:
                    tags.setdefault(composed(item), tag)
        rows: list[tuple[int, str, str, str | None]] = []
        skipped = 0
        untitled = dict(tags)
        for line, item, title in self._lines(self.titles, "items", advance):
            if item is None:
                skipped += 1
            else:
                untitled.pop(composed(item), None)
                rows.append((line, item, clean_text(title), tags.get(composed(item))))
            if len(rows) + skipped >= self._size:
                yield self._chunk(rows, skipped)
                rows, skipped = [], 0
        rows += [(0, item, "", tag) for item, tag in untitled.items()]
        yield self._chunk(rows, skipped)

    def _chunk(self, rows: list[tuple[int, str, str, str | None]], skipped: int) -> Chunk:
        columns: dict[str, Any] = {
            "item_id": [row[1] for row in rows],
            "title": [row[2] for row in rows],
        }
        if self.tags is not None:
            columns["categories"] = [[row[3]] if row[3] else None for row in rows]
        return Chunk(np.array([row[0] for row in rows], np.int64), columns, list(columns), skipped)

    def _lines(
        self, path: Path, section: Section, advance: Advance
    ) -> Iterator[tuple[int, str | None, str]]:
        """Line number, id (None for a broken line) and text; a text may hold bare commas."""
        broken = Broken(self.ledger, section)
        number = 0
        source = text_lines(path)
        with reading(source.name), source.open(advance) as stream:
            for batch in line_batches(stream):
                for line in batch:
                    number += 1
                    text = broken.text(line, number)
                    if text == "" or (number == 1 and _is_header(text or "")):
                        continue
                    values = _values(text or "")
                    if len(values) >= 2 and values[0].strip():
                        yield number, values[0].strip(), ",".join(values[1:]).strip()
                        continue
                    if text is not None:
                        broken.drop("not an id and a text", number, text)
                    yield number, None, ""


def _values(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def _is_header(line: str) -> bool:
    return line.partition(",")[0].strip().lower() in ("item", "itemid", "item_id", "videoid", "id")
