"""Metadata records of each Amazon release, odd ones among them, each with its truth."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from generated.sources.words import Words

_SCRIPT = "var aPageStart = (new Date()).getTime();\nvar ue_t0=ue_t0||+new Date();"
_STYLE = ".a-box-inner{background-color:#fff}#alohaBuyBoxWidget .selected{color:#000}"


@dataclass
class Item:
    """One item: what its record says and what is to be read out of it.

    Attributes:
        id: the item id.
        record: what the file holds.
        fields: what a reader must find; a missing field is None.
        urls: addresses of its pictures in the order of preference.
        odd: how often each oddity was put in, by name.
    """

    id: str
    record: dict[str, Any]
    fields: dict[str, Any]
    urls: list[str]
    odd: Counter[str] = field(default_factory=Counter)


class ItemWriter:
    """Draws items of one release.

    Args:
        year: of the release.
        random: what is drawn from.
        odd: probability of each oddity of an item.
    """

    def __init__(self, year: int, random: Random, odd: float) -> None:
        self._random, self._odd = random, odd
        self._words = Words(random)
        self._brands = [self._words.text(1, 2).title() for _ in range(500)]
        self._shelves = [self._words.text(1, 2).title() for _ in range(100)]
        self._make: Callable[[Item], None] = {
            2014: self._of_2014,
            2018: self._of_2018,
            2023: self._of_2023,
        }[year]

    def draw(self, item: str) -> Item:
        """An item with this id."""
        random = self._random
        path = [self._shelves[0], *random.sample(self._shelves[1:], random.randint(1, 3))]
        price = random.randint(100, 99_999) / 100
        made = Item(
            item,
            {},
            {
                "title": self._words.title(),
                "brand": random.choice(self._brands),
                "categories": path,
                "description": self._words.text(10, 150),
                "price": f"{price:.2f}",
                "features": [self._words.text(3, 12) for _ in range(random.randint(1, 5))],
            },
            [],
        )
        for name in ("title", "brand", "description", "price"):
            if self._happens():
                made.fields[name] = None
        self._make(made)
        return made

    def _happens(self) -> bool:
        return self._random.random() < self._odd

    def _of_2014(self, made: Item) -> None:
        fields, random = made.fields, self._random
        fields["features"] = None  # the release has none
        related = [f"B{random.randrange(10**9):09d}" for _ in range(random.randint(0, 60))]
        record: dict[str, Any] = {
            "asin": made.id,
            "title": self._page("title", made),
            "brand": fields["brand"],
            "description": self._page("description", made),
            "price": None if fields["price"] is None else float(fields["price"]),
            "categories": [fields["categories"]],
            "related": {"also_bought": related[::2], "also_viewed": related[1::2]},
            "salesRank": {"Baby": random.randrange(10**6)},
        }
        # A key that has no value is left out, as scrapers do, or has None.
        made.record = {k: v for k, v in record.items() if v is not None or self._happens()}
        if self._happens():
            shelf = random.choice(self._shelves[1:])
            made.record["categories"] = [fields["categories"], [fields["categories"][0], shelf]]
            fields["categories"] = list(dict.fromkeys([*fields["categories"], shelf]))
            made.odd["repeated category"] += 1
        if fields["price"] and self._happens():
            made.record["price"] = f"${float(fields['price']):,.2f}"
        if not self._happens():
            made.urls = [self._picture("ecx.images-amazon.com", "_SX300_")]
            made.record["imUrl"] = made.urls[0]

    def _of_2018(self, made: Item) -> None:
        fields, random = made.fields, self._random
        made.record = {
            "category": [one.replace("&", "&amp;") for one in fields["categories"]],
            "tech1": "",
            "description": self._paragraphs(made),
            "title": "",
            "also_buy": [f"B{random.randrange(10**9):09d}" for _ in range(random.randint(0, 30))],
            "image": [],
            "brand": fields["brand"] or "",
            "feature": fields["features"],
            "rank": [">#2,623,937 in Toys &amp; Games"],
            "main_cat": fields["categories"][0],
            "date": "",
            "price": "" if fields["price"] is None else f"${float(fields['price']):,.2f}",
            "asin": made.id,
        }
        if self._happens():
            made.record["title"], fields["title"] = _SCRIPT, None
            made.odd["script in place of a title"] += 1
        else:
            made.record["title"] = self._page("title", made) or ""
        if self._happens():
            made.record["price"], fields["price"] = _STYLE, None
            made.odd["no price"] += 1
        elif fields["price"] and self._happens():
            made.record["price"] += " - $1,200.50"
            fields["price"] += " - 1200.50"
        if self._happens():
            made.record["category"], fields["categories"] = [], fields["categories"][:1]
        if self._happens():
            made.record["price"], fields["price"] = math.nan, None
        count = 0 if self._happens() else random.randint(1, 4)
        large = [self._picture("images-na.ssl-images-amazon.com", "") for _ in range(count)]
        small = [url.replace(".jpg", "._SS40_.jpg") for url in large]
        if large and self._happens():
            large = []  # only thumbnails
        made.record |= {"imageURL": small, "imageURLHighRes": large}
        made.urls = [*large, *small]

    def _of_2023(self, made: Item) -> None:
        fields, random = made.fields, self._random
        price: Any = None if fields["price"] is None else float(fields["price"])
        details: dict[str, Any] = {"UPC": str(random.randrange(10**12))}
        store = fields["brand"]
        if store and self._happens():
            details["Brand"], store = store, self._words.text(1, 2)
        if price is not None and self._happens():
            price = f"from {price:.2f}"
        elif self._happens():
            price, fields["price"] = "None", None
        made.record = {
            "main_category": fields["categories"][0],
            "title": self._page("title", made) or "",
            "average_rating": 4.2,
            "rating_number": random.randrange(1000),
            "features": fields["features"],
            "description": self._paragraphs(made),
            "price": price,
            "videos": [],
            "store": store,
            "categories": fields["categories"],
            "details": details,
            "parent_asin": made.id,
            "bought_together": None,
        }
        if self._happens():
            made.record["categories"], fields["categories"] = [], fields["categories"][:1]
        if self._happens():
            made.record["features"], fields["features"] = [], None
        self._pictures_2023(made)

    def _pictures_2023(self, made: Item) -> None:
        pictures = []
        for i in range(0 if self._happens() else self._random.randint(1, 6)):
            url = self._picture("m.media-amazon.com", "")
            pictures.append(
                {
                    "thumb": url.replace(".jpg", "._AC_US40_.jpg"),
                    "large": url.replace(".jpg", "._AC_.jpg"),
                    "variant": f"PT{i:02d}" if i else "MAIN",
                    "hi_res": None if self._happens() else url.replace(".jpg", "._SL1500_.jpg"),
                }
            )
        sizes = ("hi_res", "large", "thumb")
        sized = (one[size] for one in pictures for size in sizes)
        made.urls = [url for url in sized if url is not None]
        if len(pictures) > 1 and self._happens():
            pictures.append(pictures.pop(0))  # the main picture is not the first
        made.record["images"] = pictures
        if pictures and self._happens():  # as copies in tables have it
            made.record["images"] = {key: [one[key] for one in pictures] for key in pictures[0]}

    def _page(self, name: str, made: Item) -> str | None:
        """A text, perhaps as a page would hold it."""
        text: str | None = made.fields[name]
        if text is None or not self._happens():
            return text
        made.odd[f"html in {name}"] += 1
        made.fields[name] = f"Bits & {text}"
        return self._words.scraped(made.fields[name])

    def _paragraphs(self, made: Item) -> list[str]:
        """A description as the list that 2018 and 2023 have."""
        text = self._page("description", made)
        if text is None:
            return []
        if "<" in text or "&" in text:
            return [text]
        words = text.split(" ")
        return [" ".join(words[: len(words) // 2]), "", " ".join(words[len(words) // 2 :])]

    def _picture(self, host: str, size: str) -> str:
        name = "".join(self._random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=11))
        return f"http://{host}/images/I/{name}{'.' + size if size else ''}.jpg"
