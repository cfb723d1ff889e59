"""`prepare movielens`: MovieLens 100k and 1M in the layout of their archives.

100k: `u.data` (tab), `u.item` (`|`, Latin-1, a flag for each genre), `u.genre`. 1M: `ratings.dat`
and `movies.dat` (`::`, Latin-1). What is known of users (`u.user`, `users.dat`) is not read: a
dataset has no place for it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger
from cliper.data.readers.html import clean_text
from cliper.data.readers.rows import LOG_COLUMNS, Advance, Chunk, Rows, Wanted, chunked
from cliper.data.sources.delimited import delimited_log, delimited_rows
from cliper.errors import InputError

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
"""Of 100k, in the order of its flags (its README)."""

_CHUNK = 1_024
_YEAR = re.compile(r"\s*\((\d{4})[^()]*\)\s*(?:\(V\)\s*)?$")
_ARTICLE = re.compile(r"^(.+), (The|An?)$")


def prepare_movielens(
    source: Path,
    out: Path,
    *,
    images: Path | None = None,
    min_rating: float | None = None,
    k_core: int = 5,
    keep_unbought: bool = False,
    name: str | None = None,
) -> Dataset:
    """Read the unpacked folder of MovieLens 100k or 1M, and write a dataset directory.

    Fields: `title` without its year and with its article in front, `year`, `categories` (the
    genres).

    Args:
        source: the folder; which of the two it is, its files tell.
        out: the dataset directory; an earlier dataset there is replaced.
        images: a folder of posters called `<movie id>.jpg` (`.jpeg`, `.png`, `.webp`).
        min_rating, k_core, keep_unbought: see `Filters`.
        name: for people; by default the directory's name.

    Raises:
        InputError: a missing or damaged file, nothing left.
    """
    source, out = Path(source), Path(out)
    check_replaceable(out)
    filters = Filters(min_rating, k_core, keep_unbought)
    ledger = Ledger()
    release, items, log = _layout(source, ledger)
    return assemble(
        items,
        log,
        out,
        filters,
        ledger=ledger,
        pictures=None if images is None else Pictures(Path(images), by_name=True),
        name=name,
        options={"release": release},
    )


def _layout(source: Path, ledger: Ledger) -> tuple[str, Rows, Rows]:
    if (source / "u.data").is_file():
        return (
            "100k",
            films(_required(source / "u.item"), "|", _genres(source), ledger),
            delimited_log(source / "u.data", "\t", LOG_COLUMNS, ledger),
        )
    if (source / "ratings.dat").is_file():
        return (
            "1m",
            films(_required(source / "movies.dat"), "::", (), ledger),
            delimited_log(source / "ratings.dat", "::", LOG_COLUMNS, ledger),
        )
    raise InputError(
        "neither MovieLens 100k nor 1M",
        where=str(source),
        remedy="name the unpacked folder: u.data and u.item, or ratings.dat and movies.dat",
    )


def _required(path: Path) -> Path:
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="unpack the whole archive")
    return path


def _genres(source: Path) -> Sequence[str]:
    """The names of the flags: `u.genre` if it is there, else those of the README."""
    path = source / "u.genre"
    if not path.is_file():
        return GENRES
    lines = path.read_text(encoding="latin-1").splitlines()
    return [line.partition("|")[0].strip() for line in lines if line.strip()]


def films(path: Path, delimiter: str, genres: Sequence[str], ledger: Ledger) -> Rows:
    """The films of either release.

    Args:
        path: the file of films.
        delimiter: what parts values.
        genres: names of 100k's flags; empty for 1M, which names genres in a column.
        ledger: takes broken lines and what was changed.
    """
    width = 5 + len(genres) if genres else 3

    def row(values: list[str], line: int) -> tuple[Any, ...]:
        item, text, *rest = values
        title, year = _title(text, line, ledger)
        if not genres:
            return item, title, year, rest[0].split("|")
        flags = zip(genres, rest[3:], strict=True)
        named = [genre for genre, flag in flags if flag.strip() == "1" and genre != "unknown"]
        return item, title, year or rest[0].strip()[-4:] or None, named

    def read(advance: Advance, _: Wanted) -> Iterator[Chunk]:
        found = delimited_rows(path, delimiter, width, ledger, "items", advance)
        rows = ((line, None if values is None else row(values, line)) for line, values in found)
        return chunked(rows, ("item_id", "title", "year", "categories"), _CHUNK)

    return Rows({"items": path}, read)


def _title(text: str, line: int, ledger: Ledger) -> tuple[str | None, str | None]:
    """The title as one says it, and the year that follows it."""
    text = clean_text(text)
    year = _YEAR.search(text)
    title = text[: year.start()].strip() if year else text
    article = _ARTICLE.match(title)
    if article:
        title = f"{article[2]} {article[1]}"
        what = "title: the article put in front"
        ledger.change("fields", what, 1, [f"line {line}: {title}"])
    if title.lower() == "unknown":
        ledger.drop("fields", "title: 'unknown' taken as missing", 1, [f"line {line}"])
        title = ""
    return title or None, year[1] if year else None
