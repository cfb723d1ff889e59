"""`prepare movielens`: MovieLens 100k and 1M in the layout of their archives.

100k: `u.data` (tab), `u.item` (`|`, Latin-1, a flag for each genre), `u.genre`. 1M: `ratings.dat`
and `movies.dat` (`::`, Latin-1). What is known of users (`u.user`, `users.dat`) is not read: a
dataset has no place for it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger
from cliper.data.readers.chunks import Chunk
from cliper.data.readers.rows import LOG_COLUMNS, Advance, Wanted
from cliper.data.sources.clean import clean_text
from cliper.data.sources.delimited import Delimited
from cliper.errors import InputError

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
"""Of 100k, in the order of its flags (its README)."""

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
    release, films, log = _layout(source, ledger)
    return assemble(
        films,
        log,
        out,
        filters,
        ledger=ledger,
        pictures=None if images is None else Pictures(Path(images), by_name=True),
        name=name,
        options={"release": release},
    )


def _layout(source: Path, ledger: Ledger) -> tuple[str, "Films", Delimited]:
    if (source / "u.data").is_file():
        _require(source / "u.item")
        flags = [f"genre {i}" for i in range(len(_genres(source)))]
        columns = ["item_id", "title", "released", "", "", *flags]
        table = Delimited(source / "u.item", "|", columns, ledger, section="items")
        log = Delimited(source / "u.data", "\t", LOG_COLUMNS, ledger)
        return "100k", Films(table, _genres(source)), log
    if (source / "ratings.dat").is_file():
        _require(source / "movies.dat")
        columns = ["item_id", "title", "genres"]
        table = Delimited(source / "movies.dat", "::", columns, ledger, section="items")
        return "1m", Films(table, ()), Delimited(source / "ratings.dat", "::", LOG_COLUMNS, ledger)
    raise InputError(
        "neither MovieLens 100k nor 1M",
        where=str(source),
        remedy="name the unpacked folder: u.data and u.item, or ratings.dat and movies.dat",
    )


def _require(path: Path) -> None:
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="unpack the whole archive")


def _genres(source: Path) -> Sequence[str]:
    """The names of the flags: `u.genre` if it is there, else those of the README."""
    path = source / "u.genre"
    if not path.is_file():
        return GENRES
    lines = path.read_text(encoding="latin-1").splitlines()
    return [line.partition("|")[0].strip() for line in lines if line.strip()]


@dataclass(frozen=True)
class Films:
    """The films of either release.

    Attributes:
        table: the file's columns.
        genres: names of 100k's flags; empty for 1M, which names genres in a column.
    """

    table: Delimited
    genres: Sequence[str]
    repeats: bool = False

    @property
    def name(self) -> str:
        """The path."""
        return self.table.name

    @property
    def files(self) -> Mapping[str, Path]:
        """The one file."""
        return {"items": self.table.path}

    def chunks(self, advance: Advance, wanted: Wanted) -> Iterator[Chunk]:
        """The films with their fields."""
        for chunk in self.table.chunks(advance):
            titles = [self._title(text, line) for text, line in _numbered(chunk, "title")]
            released = chunk.columns.get("released", [""] * len(titles))
            columns: dict[str, Any] = {
                "item_id": chunk.columns["item_id"],
                "title": [title for title, _ in titles],
                "year": [
                    year or date.strip()[-4:] or None
                    for (_, year), date in zip(titles, released, strict=True)
                ],
                "categories": self._categories(chunk),
            }
            yield Chunk(chunk.numbers, columns, list(columns), chunk.skipped)

    def _title(self, text: str, line: int) -> tuple[str | None, str | None]:
        """The title as one says it, and the year that follows it."""
        text = clean_text(text)
        year = _YEAR.search(text)
        title = text[: year.start()].strip() if year else text
        article = _ARTICLE.match(title)
        if article:
            title = f"{article[2]} {article[1]}"
            what = "title: the article put in front"
            self.table.ledger.change("fields", what, 1, [f"line {line}: {title}"])
        if title.lower() == "unknown":
            what = "title: 'unknown' taken as missing"
            self.table.ledger.drop("fields", what, 1, [f"line {line}"])
            return None, year[1] if year else None
        return title or None, year[1] if year else None

    def _categories(self, chunk: Chunk) -> list[list[str] | None]:
        if not self.genres:
            return [text.split("|") for text, _ in _numbered(chunk, "genres")]
        flags = [chunk.columns[f"genre {i}"] for i in range(len(self.genres))]
        return [
            [
                genre
                for genre, flag in zip(self.genres, row, strict=True)
                if flag.strip() == "1" and genre != "unknown"
            ]
            for row in zip(*flags, strict=True)
        ]


def _numbered(chunk: Chunk, column: str) -> Iterator[tuple[str, int]]:
    return zip(chunk.columns[column], chunk.numbers.tolist(), strict=True)
