"""Names of categories, and where files lie."""

from pathlib import Path

import pytest

from cliper.data.sources.amazon.files import find, present
from cliper.data.sources.amazon.releases import RELEASES, Year, release
from cliper.errors import InputError


@pytest.mark.parametrize(
    ("year", "given", "spelled"),
    [
        (2014, "Baby", "Baby"),
        (2014, " baby ", "Baby"),
        (2014, "Clothing, Shoes & Jewelry", "Clothing_Shoes_and_Jewelry"),
        (2014, "clothing", "Clothing_Shoes_and_Jewelry"),
        (2014, "SPORTS", "Sports_and_Outdoors"),
        (2018, "amazon fashion", "AMAZON_FASHION"),
        (2018, "CDs and vinyl", "CDs_and_Vinyl"),
        (2023, "baby", "Baby_Products"),
        (2023, "beauty", "Beauty_and_Personal_Care"),
        (2023, "all-beauty", "All_Beauty"),
    ],
)
def test_categories_as_people_write_them(year: Year, given: str, spelled: str) -> None:
    assert RELEASES[year].category(given) == spelled


@pytest.mark.parametrize(
    ("year", "given", "hint"),
    [
        (2014, "Babby", "did you mean 'Baby'?"),
        (2018, "Baby", "known: AMAZON_FASHION, All_Beauty"),
        (2023, "Toys and Gams", "did you mean 'Toys_and_Games'?"),
        (2014, "qqqq", "known: "),
    ],
)
def test_the_nearest_category_is_named(year: Year, given: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        RELEASES[year].category(given)
    assert f"the {year} release has no category {given!r}" in str(caught.value)
    assert hint in str(caught.value)


def test_categories_of_the_folder_are_known_too(tmp_path: Path) -> None:
    (tmp_path / "meta_My_Own.json").write_text("{}")
    (tmp_path / "metaFiles2").mkdir()
    (tmp_path / "metaFiles2" / "meta_Other.json.gz").write_text("{}")
    (tmp_path / "meta_.json").write_text("{}")
    assert present(RELEASES[2018], tmp_path) == ["My_Own", "Other"]
    assert RELEASES[2018].category("my own", ["My_Own"]) == "My_Own"


def test_counts_of_categories_are_those_of_the_releases() -> None:
    """24 per-category files in 2014, 29 in 2018, 33 and `Unknown` in 2023 (their pages)."""
    assert [len(RELEASES[year].categories) for year in (2014, 2018, 2023)] == [24, 29, 34]
    for one in RELEASES.values():
        assert len(set(one.categories)) == len(one.categories)


def test_other_years() -> None:
    with pytest.raises(InputError, match=r"no release of 2015 \(2014, 2018 or 2023\)"):
        release(2015)


def test_the_5_core_is_never_taken_for_all_ratings(tmp_path: Path) -> None:
    for name in ("meta_X.jsonl.gz", "X.csv.gz"):
        (tmp_path / name).write_text("x")
    assert find(RELEASES[2023], "X", tmp_path, None).kind == "ratings"
    (tmp_path / "5core" / "rating_only").mkdir(parents=True)
    (tmp_path / "5core" / "rating_only" / "X.csv").write_text("x")
    assert find(RELEASES[2023], "X", tmp_path, None).kind == "5-core"
    assert find(RELEASES[2023], "X", tmp_path, "ratings").log == tmp_path / "X.csv.gz"
