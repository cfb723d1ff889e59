"""One record of Amazon's metadata into fields: each release's keys, cleaned and counted."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from cliper.data.ledger import Ledger
from cliper.data.readers.html import clean_text, texts
from cliper.data.sources.amazon.releases import Year
from cliper.types import JsonObject

FIELDS = ("title", "brand", "categories", "description", "price", "features", "image_urls")
_PRICE = re.compile(r"(?:from\s+)?(?:US)?\$?\s*(\d[\d,]{0,14}(?:\.\d{1,9})?)", re.I)
_RANGE = re.compile(rf"{_PRICE.pattern}\s*[-–]\s*{_PRICE.pattern}", re.I)


class FieldReader:
    """Records of one release into columns.

    Args:
        year: of the release, which decides the names of keys.
        ledger: takes what was taken out of values, by field.
    """

    def __init__(self, year: Year, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read: Callable[[JsonObject, str], JsonObject] = {
            2014: self._of_2014,
            2018: self._of_2018,
            2023: self._of_2023,
        }[year]

    def __call__(self, record: JsonObject, line: int) -> JsonObject:
        """The values of `FIELDS` in one record."""
        where = f"line {line}"
        found = self._read(record, where)
        found["title"] = self._text("title", record.get("title"), where)
        found["description"] = self._text("description", record.get("description"), where)
        found["price"] = self._price(record.get("price"), where)
        return found

    def _of_2014(self, record: JsonObject, where: str) -> JsonObject:
        return {
            "brand": self._text("brand", record.get("brand"), where),
            "categories": self._list("categories", record.get("categories"), where),
            "features": None,
            "image_urls": list(texts(record.get("imUrl"))),
        }

    def _of_2018(self, record: JsonObject, where: str) -> JsonObject:
        title = record.get("title")
        if isinstance(title, str) and "getTime" in title:  # the page's script, not its title
            self._ledger.drop("fields", "title: a script in place of a title left out", 1, [where])
            record["title"] = None
        categories = self._list("categories", record.get("category"), where)
        return {
            "brand": self._text("brand", record.get("brand"), where),
            "categories": categories or self._list("categories", record.get("main_cat"), where),
            "features": self._list("features", record.get("feature"), where),
            "image_urls": _once(
                [*texts(record.get("imageURLHighRes")), *texts(record.get("imageURL"))]
            ),
        }

    def _of_2023(self, record: JsonObject, where: str) -> JsonObject:
        brand = _details(record.get("details")).get("Brand")
        categories = self._list("categories", record.get("categories"), where)
        return {
            "brand": self._text("brand", brand, where)
            or self._text("brand", record.get("store"), where),
            "categories": categories
            or self._list("categories", record.get("main_category"), where),
            "features": self._list("features", record.get("features"), where),
            "image_urls": _once(_sizes(record.get("images"))),
        }

    def _text(self, field: str, value: Any, where: str) -> str | None:
        """Every text in `value`, cleaned and joined by blanks."""
        return " ".join(self._cleaned(field, texts(value), where)) or None

    def _list(self, field: str, value: Any, where: str) -> list[str] | None:
        """The texts in `value`, each once."""
        found = list(self._cleaned(field, texts(value), where))
        once = _once(found)
        if len(once) < len(found):
            self._change(f"{field}: a value named twice kept once", where)
        return once or None

    def _cleaned(self, field: str, values: Iterator[str], where: str) -> Iterator[str]:
        changed = False
        for value in values:
            text = clean_text(value)
            if ("&" in value or "<" in value) and text != " ".join(value.split()):
                changed = True
            if text:
                yield text
        if changed:
            self._change(f"{field}: HTML entities resolved and tags taken out", where)

    def _price(self, value: Any, where: str) -> str | None:
        """The bare number, or `low - high`; what holds no price is missing."""
        text = " ".join(texts(value)).strip()
        if not text or text.lower() in ("none", "nan", "—", "-"):
            return None
        if match := _RANGE.fullmatch(text):
            return f"{_amount(match[1])} - {_amount(match[2])}"
        if match := _PRICE.fullmatch(text):
            return _amount(match[1])
        self._ledger.drop("fields", "price: no price left out", 1, [f"{where}: {text[:60]}"])
        return None

    def _change(self, what: str, where: str) -> None:
        self._ledger.change("fields", what, 1, [where])


def _details(value: Any) -> JsonObject:
    """An object, or in copies that went through a table its JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _amount(digits: str) -> str:
    return f"{float(digits.replace(',', '')):.2f}"


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _sizes(images: Any) -> list[str]:
    """Addresses of 2023's pictures: the main one first, of each the largest size first.

    Pictures are a list of objects in the official files, and one object of lists in copies that
    went through a table.
    """
    keys = ("hi_res", "large", "thumb")
    if isinstance(images, dict):
        named = {key: images.get(key) for key in (*keys, "variant")}
        columns = {key: values for key, values in named.items() if isinstance(values, list)}
        count = max(map(len, columns.values()), default=0)
        images = [
            {key: values[i] for key, values in columns.items() if i < len(values)}
            for i in range(count)
        ]
    if not isinstance(images, list):
        return list(texts(images))
    pictures = [one for one in images if isinstance(one, dict)]
    pictures.sort(key=lambda one: one.get("variant") != "MAIN")  # stable: the others as they come
    sized = [url for one in pictures for key in keys for url in texts(one.get(key))]
    return sized + [one for one in images if isinstance(one, str)]
