"""Both releases of MovieLens, generated in their layouts."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cliper.data import Dataset, prepare_movielens
from cliper.errors import InputError
from generated.sources import MovieLensTruth, write_movielens

RELEASES = ["100k", "1m"]


def generate(folder: Path, release: str) -> MovieLensTruth:
    return write_movielens(folder, release, n_films=80, n_users=40, n_ratings=900, seed=3)


def prepare(folder: Path, **options: Any) -> Dataset:
    return prepare_movielens(folder, folder.parent / "out", **{"k_core": 0, **options})


@pytest.mark.parametrize("release", RELEASES)
def test_every_film_and_rating(tmp_path: Path, release: str) -> None:
    truth = generate(tmp_path / "ml", release)
    dataset = prepare(tmp_path / "ml", keep_unbought=True)
    catalogue, log = dataset.catalogue, dataset.interactions
    assert catalogue is not None
    assert catalogue.fields == ("title", "year", "categories")
    assert sorted(dataset.items.ids()) == sorted(truth.films)
    for name in catalogue.fields:
        found = dict(zip(dataset.items.ids(), catalogue.values(name), strict=True))
        assert found == {film: fields[name] for film, fields in truth.films.items()}, name
    first: dict[tuple[str, str], tuple[int, int]] = {}
    for user, film, rating, time in sorted(truth.ratings, key=lambda one: one[3]):
        first.setdefault((user, film), (rating, time))
    assert log.rating is not None
    assert log.timestamp is not None
    users, films = dataset.users.ids(log.user_index), dataset.items.ids(log.item_index)
    values = zip(log.rating.tolist(), log.timestamp.tolist(), strict=True)
    assert dict(zip(zip(users, films, strict=True), values, strict=True)) == first
    again = len(truth.ratings) - len(first)
    assert dataset.about["dropped"]["rows"] == {"the same user and item again": again}
    assert dataset.about["options"]["release"] == release
    latin_1 = dataset.about["changed"]["items"]["bytes that are not UTF-8 read as Latin-1"]
    assert latin_1 == sum(f["title"] is not None for f in truth.films.values())


@pytest.mark.parametrize("release", RELEASES)
def test_ratings_below_the_threshold_leave(tmp_path: Path, release: str) -> None:
    truth = generate(tmp_path / "ml", release)
    dataset = prepare(tmp_path / "ml", min_rating=4)
    good = {(user, film) for user, film, rating, _ in truth.ratings if rating >= 4}
    assert len(dataset.interactions) == len(good)
    low = sum(rating < 4 for _, _, rating, _ in truth.ratings)
    assert dataset.about["dropped"]["rows"]["rating below 4"] == low


def test_posters_called_after_the_film(tmp_path: Path) -> None:
    truth = generate(tmp_path / "ml", "1m")
    posters = tmp_path / "posters"
    posters.mkdir()
    some = sorted(truth.films)[::3]
    for number, film in enumerate(some):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(posters / f"{film}.jpg")
    dataset = prepare(tmp_path / "ml", images=posters, keep_unbought=True)
    assert dataset.catalogue is not None
    pairs = zip(dataset.items.ids(), dataset.catalogue.image_paths(), strict=True)
    stored = {film: path.read_bytes() for film, path in pairs if path is not None}
    assert stored == {film: (posters / f"{film}.jpg").read_bytes() for film in some}


LINES = [
    ("Toy Story (1995)", "01-Jan-1995", "Toy Story", "1995"),
    ("Usual Suspects, The (1995)", "14-Aug-1995", "The Usual Suspects", "1995"),
    ("Shanghai Triad (Yao a yao yao dao waipo qiao) (1995)", "01-Jan-1995",
     "Shanghai Triad (Yao a yao yao dao waipo qiao)", "1995"),
    ("Land Before Time III: The Time of the Great Giving (1995) (V)", "01-Jan-1995",
     "Land Before Time III: The Time of the Great Giving", "1995"),
    ("American President, An (1995)", "", "An American President", "1995"),
    ("8 1/2", "01-Jan-1963", "8 1/2", "1963"),
    ("unknown", "", None, None),
]  # fmt: skip


def test_titles_of_the_archive(tmp_path: Path) -> None:
    folder = tmp_path / "ml"
    folder.mkdir()
    flags = "|".join(["0"] * 5 + ["1"] + ["0"] * 13)
    items = [f"{i}|{title}|{date}||http://us.imdb.com/M/{i}|{flags}" for i, (title, date, *_) in
             enumerate(LINES)]  # fmt: skip
    (folder / "u.item").write_text("\n".join(items))
    (folder / "u.data").write_text("\n".join(f"1\t{i}\t3\t5" for i in range(len(LINES))))
    catalogue = prepare(folder).catalogue
    assert catalogue is not None
    assert catalogue.values("title") == [title for *_, title, _ in LINES]
    assert catalogue.values("year") == [year for *_, year in LINES]
    assert catalogue.values("categories") == [["Comedy"]] * len(LINES)  # the README's sixth genre


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither MovieLens 100k nor 1M"):
        prepare(tmp_path)
    generate(tmp_path / "ml", "100k")
    (tmp_path / "ml" / "u.item").unlink()
    with pytest.raises(InputError, match=r"u\.item: no such file \(unpack the whole archive\)"):
        prepare(tmp_path / "ml")
    (tmp_path / "ml" / "u.item").write_text("1::Toy Story (1995)::Comedy\n")
    with pytest.raises(InputError, match="none of its 1 lines has 24 values"):
        prepare(tmp_path / "ml")


def test_broken_lines_are_counted(tmp_path: Path) -> None:
    generate(tmp_path / "ml", "100k")
    for name in ("u.item", "u.data"):
        with (tmp_path / "ml" / name).open("a") as stream:
            stream.write("1\t2\n")
    about = prepare(tmp_path / "ml").about
    assert about["dropped"]["rows"]["not 4 values"] == 1
    assert about["dropped"]["items"]["not 24 values"] == 1
    assert about["read"] == {"rows": 901, "items": 81}
