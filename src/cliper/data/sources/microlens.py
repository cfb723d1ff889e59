"""`prepare microlens`: MicroLens' pairs, titles, categories and covers.

Pairs are `MicroLens-<size>_pairs.csv` (user, item, time in milliseconds), or the `.tsv` of the
same name: a user, a tab and the items in order of time, parted by blanks. Titles are
`MicroLens-<size>_title_en.csv` (`_titles.csv`, `_title.csv`), categories `tags_to_summary.csv`,
both an id and a text a line without a header. Covers lie in `MicroLens-<size>_covers`.
"""

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger, Section
from cliper.data.readers.html import clean_text
from cliper.data.readers.rows import Advance, Chunk, Rows, Wanted, chunked
from cliper.data.readers.values import composed
from cliper.data.sources.delimited import delimited_log
from cliper.data.sources.lines import first_line, parsed_lines
from cliper.errors import InputError

_NAMES = {
    "user": "user_id", "userid": "user_id", "user_id": "user_id",
    "item": "item_id", "itemid": "item_id", "item_id": "item_id", "videoid": "item_id",
    "timestamp": "timestamp",
}  # fmt: skip
_HEADERS = ("item", "itemid", "item_id", "videoid", "id")
_LOG_CHUNK, _ITEM_CHUNK = 16_384, 1_024
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
        videos(_titles(source, size), _existing(source / _TAGS), ledger),
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


def _log(path: Path, ledger: Ledger) -> Rows:
    if path.suffix == ".tsv":
        return histories(path, ledger)
    header = first_line(path)
    named = {one.strip(): _NAMES.get(one.strip().lower(), "") for one in header.split(",")}
    columns = {theirs: ours for theirs, ours in named.items() if ours}
    for needed in ("user_id", "item_id"):
        if needed not in columns.values():
            raise InputError(
                f"no column for {needed!r}",
                where=f"{path}, line 1",
                remedy="its first line should be user,item,timestamp",
            )
    return delimited_log(path, ",", columns, ledger)


def histories(path: Path, ledger: Ledger) -> Rows:
    """The `.tsv`: a user's items in order. A pair's time is its place in that order."""

    def parse(line: str) -> tuple[str, list[str]] | None:
        user, _, items = line.partition("\t")
        return (user, items.split()) if items.strip() else None

    def rows(advance: Advance) -> Iterator[tuple[int, tuple[str, str, str] | None]]:
        what = "a user, a tab and items"
        for number, found in parsed_lines(path, parse, what, ledger, "rows", advance):
            if found is None:
                yield number, None
            else:
                yield from ((number, (found[0], v, str(i))) for i, v in enumerate(found[1]))

    def read(advance: Advance, _: Wanted) -> Iterator[Chunk]:
        return chunked(rows(advance), ("user_id", "item_id", "timestamp"), _LOG_CHUNK)

    return Rows({"interactions": path}, read)


def videos(titles: Path, tags: Path | None, ledger: Ledger) -> Rows:
    """Videos that have a title, then those that have a category alone.

    Args:
        titles: the file of titles.
        tags: the file of categories, if there is one.
        ledger: takes broken lines.
    """

    def rows(advance: Advance) -> Iterator[tuple[int, tuple[Any, ...] | None]]:
        tag_of: dict[str, str] = {}
        if tags is not None:
            for _, found in _pairs_of(tags, ledger, "fields", lambda _: None):
                if found is not None:
                    tag_of.setdefault(composed(found[0]), found[1])
        untitled = dict(tag_of)
        for line, found in _pairs_of(titles, ledger, "items", advance):
            if found is None:
                yield line, None
            else:
                item = composed(found[0])
                untitled.pop(item, None)
                yield line, (found[0], clean_text(found[1]), _listed(tag_of.get(item)))
        yield from ((0, (item, "", _listed(tag))) for item, tag in untitled.items())

    def read(advance: Advance, _: Wanted) -> Iterator[Chunk]:
        names = ("item_id", "title", "" if tags is None else "categories")
        return chunked(rows(advance), names, _ITEM_CHUNK)

    files = {"items": titles} | ({} if tags is None else {"categories": tags})
    return Rows(files, read, repeats=True)


def _listed(tag: str | None) -> list[str] | None:
    return [tag] if tag else None


def _pairs_of(
    path: Path, ledger: Ledger, section: Section, advance: Advance
) -> Iterator[tuple[int, tuple[str, str] | None]]:
    """Line number, id and text (None for a broken line); a text may hold bare commas."""

    def parse(line: str) -> tuple[str, str] | None:
        try:
            values = next(csv.reader([line]), [])
        except csv.Error:
            return None
        found = len(values) >= 2 and values[0].strip()
        return (values[0].strip(), ",".join(values[1:]).strip()) if found else None

    lines = parsed_lines(path, parse, "an id and a text", ledger, section, advance)
    has_header = first_line(path).partition(",")[0].strip().lower() in _HEADERS
    return itertools.islice(lines, int(has_header), None)
