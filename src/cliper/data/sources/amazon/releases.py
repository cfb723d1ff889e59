"""The three releases: categories, names of files and where they lie officially."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cliper.config import nearest
from cliper.errors import InputError

Year = Literal[2014, 2018, 2023]
LogKind = Literal["5-core", "ratings", "reviews"]
LOG_KINDS: tuple[LogKind, ...] = ("5-core", "ratings", "reviews")
"""In the order in which they are looked for: the smallest first."""

_BOTH = """Automotive Books CDs_and_Vinyl Cell_Phones_and_Accessories Clothing_Shoes_and_Jewelry
Digital_Music Electronics Grocery_and_Gourmet_Food Home_and_Kitchen Kindle_Store Movies_and_TV
Musical_Instruments Office_Products Patio_Lawn_and_Garden Pet_Supplies Sports_and_Outdoors
Tools_and_Home_Improvement Toys_and_Games Video_Games"""
_2014 = "Amazon_Instant_Video Apps_for_Android Baby Beauty Health_and_Personal_Care"
_2018 = """AMAZON_FASHION All_Beauty Appliances Arts_Crafts_and_Sewing Gift_Cards
Industrial_and_Scientific Luxury_Beauty Magazine_Subscriptions Prime_Pantry Software"""
_2023 = """All_Beauty Amazon_Fashion Appliances Arts_Crafts_and_Sewing Baby_Products
Beauty_and_Personal_Care Gift_Cards Handmade_Products Health_and_Household
Health_and_Personal_Care Industrial_and_Scientific Magazine_Subscriptions Software
Subscription_Boxes Unknown"""

_ALIASES: Mapping[Year, Mapping[str, str]] = {
    2014: {
        "sports": "Sports_and_Outdoors",
        "clothing": "Clothing_Shoes_and_Jewelry",
        "babyproducts": "Baby",
    },
    2018: {
        "sports": "Sports_and_Outdoors",
        "clothing": "Clothing_Shoes_and_Jewelry",
        "fashion": "AMAZON_FASHION",
    },
    2023: {
        "sports": "Sports_and_Outdoors",
        "clothing": "Clothing_Shoes_and_Jewelry",
        "fashion": "Amazon_Fashion",
        "baby": "Baby_Products",
        "beauty": "Beauty_and_Personal_Care",
    },
}


@dataclass(frozen=True)
class Release:
    """One release.

    Attributes:
        year: of the release.
        categories: official names, as files spell them.
        address: where its files lie officially.
        meta: path of the metadata under the address, with `{}` for the category.
        logs: paths of each kind of log, the same way.
        parents: whether an item is the parent of its variants (`parent_asin`).
    """

    year: Year
    categories: tuple[str, ...]
    address: str
    meta: str
    logs: Mapping[LogKind, str]
    parents: bool = False

    def category(self, name: str, present: Iterable[str] = ()) -> str:
        """The spelling of a category in file names.

        Case, blanks, `&` and punctuation do not matter, and a few short names are known.

        Args:
            name: as a person writes it.
            present: other categories that the given folder has files of.

        Raises:
            InputError: unknown; the message names the nearest known one.

        >>> RELEASES[2014].category("sports & outdoors"), RELEASES[2023].category("baby")
        ('Sports_and_Outdoors', 'Baby_Products')
        """
        known = {_key(one): one for one in (*self.categories, *present)}
        key = _key(name)
        if key in known:
            return known[key]
        if key in _ALIASES[self.year]:
            return _ALIASES[self.year][key]
        spelled = [*dict.fromkeys(known.values()), *_ALIASES[self.year]]
        raise InputError(
            f"the {self.year} release has no category {name!r}",
            where="--category",
            remedy=nearest(name.strip().replace(" ", "_"), spelled),
        )


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("&", "and"))


def _names(*lists: str) -> tuple[str, ...]:
    return tuple(sorted(" ".join(lists).split(), key=str.lower))


_UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data"
RELEASES: Mapping[Year, Release] = {
    2014: Release(
        2014,
        _names(_BOTH, _2014),
        "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles",
        "meta_{}.json.gz",
        {
            "5-core": "reviews_{}_5.json.gz",
            "ratings": "ratings_{}.csv",
            "reviews": "reviews_{}.json.gz",
        },
    ),
    2018: Release(
        2018,
        _names(_BOTH, _2018),
        f"{_UCSD}/amazon_v2",
        "metaFiles2/meta_{}.json.gz",
        {
            "5-core": "categoryFilesSmall/{}_5.json.gz",
            "ratings": "categoryFilesSmall/{}.csv",
            "reviews": "categoryFiles/{}.json.gz",
        },
    ),
    2023: Release(
        2023,
        _names(_BOTH, _2023),
        f"{_UCSD}/amazon_2023",
        "raw/meta_categories/meta_{}.jsonl.gz",
        {
            "5-core": "benchmark/5core/rating_only/{}.csv.gz",
            "ratings": "benchmark/0core/rating_only/{}.csv.gz",
            "reviews": "raw/review_categories/{}.jsonl.gz",
        },
        parents=True,
    ),
}


def release(year: int) -> Release:
    """The release of a year.

    Raises:
        InputError: there is none.
    """
    for known, found in RELEASES.items():
        if known == year:
            return found
    raise InputError(f"no release of {year}", where="--year", remedy="2014, 2018 or 2023")
