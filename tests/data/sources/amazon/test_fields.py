"""Lines in the form of the official files (`published/`), written by hand from documentation."""

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from cliper.data.ledger import Ledger
from cliper.data.readers.items import RawCatalogue, read_items
from cliper.data.sources.amazon.items import amazon_items
from cliper.data.sources.amazon.releases import release

PUBLISHED = Path(__file__).parent / "published"
EXPECTED: dict[int, list[dict[str, Any]]] = {
    2014: [
        {"title": "Girls Ballet Tutu Zebra Hot Pink", "brand": "Coxlures", "price": "3.17",
         "categories": ["Sports & Outdoors", "Other Sports", "Dance"], "description": None},
        {"title": 'Renée "M"', "brand": None, "price": None,
         "categories": ["Baby", "Toys", "Gifts"],
         "description": "It's 3\" wide & café-red. Best toy"},
        {"title": None, "brand": None, "price": None, "categories": None,
         "description": "One. Two."},
    ],
    2018: [
        {"title": "Girls Ballet Tutu Zebra Hot Pink", "brand": "Coxlures", "price": "3.17",
         "categories": None, "description": "This tutu is great for dress up play",
         "features": ["Botiquecutie Trade Mark exclusive Brand",
                      "Hot Pink Layered Zebra Print Tutu"]},
        {"title": "Reversi 'Sensory'", "brand": None, "price": "1299.00", "description": None,
         "categories": ["Video Games", "PC", "Games"], "features": None},
        {"title": None, "brand": "B", "price": None, "description": "A B", "categories": None,
         "features": None},
    ],
    2023: [
        {"title": "Howard LC0008 Leather Conditioner, 8-Ounce (4-Pack)", "brand": "Howard Products",
         "price": None, "categories": ["All Beauty"], "description": None, "features": None},
        {"title": "T", "brand": "Coxlures", "price": "14.99", "categories": ["Baby", "Toys"],
         "description": "Long.", "features": ["Soft"]},
        {"title": None, "brand": None, "price": None, "categories": ["Baby"], "description": None,
         "features": None},
    ],
}  # fmt: skip
URLS = {
    2014: [("http://ecx.images-amazon.com/images/I/51fAmVkTbyL._SY300_.jpg",), (), ()],
    2018: [
        (
            "http://ecx.images-amazon.com/images/I/51fAmVkTbyL.jpg",
            "http://ecx.images-amazon.com/images/I/51fAmVkTbyL._SY300_.jpg",
        ),
        ("https://i.org/31.jpg", "https://i.org/31._SS40_.jpg"),
        (),
    ],
    2023: [
        (
            "https://m.org/42._SL1500_.jpg",
            "https://m.org/42.jpg",
            "https://m.org/42._SS40_.jpg",
            "https://m.org/41.jpg",
            "https://m.org/41._SS40_.jpg",
        ),
        (
            "https://m.org/2.jpg",
            "https://m.org/1h.jpg",
            "https://m.org/1.jpg",
            "https://m.org/1t.jpg",
        ),
        (),
    ],
}


def read(tmp_path: Path, year: int, text: str) -> tuple[RawCatalogue, Ledger]:
    path = tmp_path / "meta.json.gz"
    path.write_bytes(gzip.compress(text.strip().encode()))
    ledger = Ledger()
    return read_items(amazon_items(path, release(year), ledger), ledger), ledger


@pytest.mark.parametrize("year", EXPECTED)
def test_lines_as_published(tmp_path: Path, year: int) -> None:
    found, ledger = read(tmp_path, year, (PUBLISHED / f"meta_{year}.txt").read_text())
    for name in EXPECTED[year][0]:
        assert found.table[name].to_pylist() == [one[name] for one in EXPECTED[year]], name
    assert found.image_urls == URLS[year]
    assert ledger.dropped("items") == {}
    assert ledger.dropped("images") == ({"not an http(s) address": 1} if year == 2014 else {})


@pytest.mark.parametrize(
    ("price", "read_as"),
    [
        (3.17, "3.17"), (3, "3.00"), ("$3.17", "3.17"), (" 1,299.5 ", "1299.50"), ("US$5", "5.00"),
        ("$5.99 - $9.99", "5.99 - 9.99"), ("5–9", "5.00 - 9.00"), ("from 7.5", "7.50"),
        ("", None), (None, None), ("None", None), ("—", None), (float("nan"), None), (True, None),
        ("9" * 400, None), ("$", None), ("call us", None), ({"a": 1}, None), (["$4.00"], "4.00"),
        (-3.0, None), ("1e5", None),
    ],
)  # fmt: skip
def test_prices(tmp_path: Path, price: Any, read_as: str | None) -> None:
    line = json.dumps({"asin": "1", "title": "t", "price": price})
    found, ledger = read(tmp_path, 2018, line)
    assert found.table["price"].to_pylist() == [read_as]
    silent = read_as or price in ("", None, "None", "—") or price != price or not str(price).strip()
    refused = ledger.dropped("fields").get("price: no price left out", 0)
    assert refused == int(not silent and not isinstance(price, bool | dict))


def test_values_of_any_type_are_no_reason_to_stop(tmp_path: Path) -> None:
    values = [
        None,
        True,
        3,
        float("nan"),
        "x",
        [],
        ["a", ["b", None, {"c": 1}]],
        {"a": 1},
        [{"hi_res": 5}],
        {"hi_res": 5, "large": ["x"], "variant": {}},
        10**400,
        "\ud800",
        ["\ud800"],
    ]
    keys = ["asin", "title", "brand", "category", "description", "price", "feature",
            "imageURL", "parent_asin", "store", "details", "images", "categories", "imUrl",
            "main_cat"]  # fmt: skip
    lines = [
        json.dumps({"asin": f"i{n}", "parent_asin": f"i{n}", "title": "t", key: value})
        for n, (key, value) in enumerate(itertools.product(keys, values))
    ]
    for year in (2014, 2018, 2023):
        found, ledger = read(tmp_path, year, "\n".join(lines))
        lost = sum(ledger.dropped("items").values())
        assert found.n_read == len(lines) == len(found.ids) + lost
