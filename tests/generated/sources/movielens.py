"""MovieLens 100k and 1M as their archives hold them."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from generated.sources.words import Words

_GENRES = [
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
]  # fmt: skip


@dataclass
class MovieLensTruth:
    """What is in the files that were written.

    Attributes:
        films: movie id → `title`, `year`, `categories`, as a reader must find them.
        ratings: user, movie, rating and time, in the file's order.
    """

    films: dict[str, dict[str, Any]] = field(default_factory=dict)
    ratings: list[tuple[str, str, int, int]] = field(default_factory=list)


def write_movielens(
    folder: Path, release: str, *, n_films: int, n_users: int, n_ratings: int, seed: int = 0
) -> MovieLensTruth:
    """Write `100k` (`u.data`, `u.item`, `u.genre`, `u.user`) or `1m` (`*.dat`).

    Among the films: titles in Latin-1, with the article behind, without a year, and the one called
    `unknown` that 100k has.
    """
    random = Random(seed)
    words = Words(random)
    truth = MovieLensTruth()
    lines = []
    for number in range(1, n_films + 1):
        genres = sorted(random.sample(_GENRES[1:], random.randint(1, 3)), key=_GENRES.index)
        year = str(random.randint(1925, 2000))
        spoken = shown = f"{words.text(1, 3).title()} Père"
        if random.random() < 0.3:
            spoken, shown = f"The {spoken}", f"{shown}, The"
        ending = random.choice([f"({year})"] * 9 + [f"({year}/I)"])
        shown, released = f"{shown} {ending}", f"01-Jan-{year}"
        film: dict[str, Any] = {"title": spoken, "year": year, "categories": genres}
        if number == 2 and release == "100k":
            shown, released = "unknown", ""
            film = {"title": None, "year": None, "categories": None}
        truth.films[str(number)] = film
        if release == "1m":
            lines.append(f"{number}::{shown}::{'|'.join(genres)}")
            continue
        flags = [str(int(genre in (film["categories"] or ["unknown"]))) for genre in _GENRES]
        link = f"http://us.imdb.com/M/title-exact?{number}"
        lines.append("|".join([str(number), shown, released, "", link, *flags]))
    while len(truth.ratings) < n_ratings:
        user = str(int(n_users * random.random() ** 1.5) + 1)
        film_id = str(int(n_films * random.random() ** 1.5) + 1)
        truth.ratings.append((user, film_id, random.randint(1, 5), random.randrange(10**9)))
    folder.mkdir(parents=True, exist_ok=True)
    items, log, parted = ("u.item", "u.data", "\t") if release == "100k" else (
        "movies.dat", "ratings.dat", "::"
    )  # fmt: skip
    (folder / items).write_text("\n".join(lines) + "\n", encoding="latin-1")
    rows = (parted.join(map(str, row)) for row in truth.ratings)
    (folder / log).write_text("\n".join(rows) + "\n")
    if release == "100k":
        genres = [f"{name}|{i}" for i, name in enumerate(_GENRES)]
        (folder / "u.genre").write_text("\n".join([*genres, "", ""]))
        (folder / "u.user").write_text("1|24|M|technician|85711\n")
    else:
        (folder / "users.dat").write_text("1::F::1::10::48067\n")
    return truth
