"""Schema rules for catalogue fields: any outside value becomes a text, a list of texts or missing.

- Text is stripped; an empty one is missing. HTML tags and entities are taken out, or stay.
- Texts of more than 10,000 characters and lists of more than 1,000 entries are cut there.
- Numbers become text (whole floats without the fraction: tables with gaps turn 1995 into 1995.0),
  truth values become `true` and `false`, dates ISO 8601. NaN and infinities are missing.
- A nested object is no text and is left out; so is one inside a list, and a list inside a list.
- A field that is a list in one row and a single value in another is a list everywhere.
"""

import datetime
import decimal
import math
from typing import Any

import pyarrow as pa

from cliper.data.catalogue import FieldValue
from cliper.data.ledger import Ledger
from cliper.data.readers.html import clean_text

MAX_TEXT = 10_000
MAX_LIST = 1_000


def written(value: object) -> str:
    """A finite number, a truth value or a date as the text that a catalogue holds.

    Raises:
        TypeError: it is something else.

    >>> written(1995.0), written(9.5), written(True)
    ('1995', '9.5', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, int | float | decimal.Decimal):
        return str(value)
    raise TypeError(type(value).__name__)


class FieldColumn:
    """One field, filled row by row, in the order of the catalogue's items."""

    def __init__(
        self, name: str, ledger: Ledger, missing_before: int = 0, keep_html: bool = True
    ) -> None:
        self.name = name
        self.values: list[FieldValue] = [None] * missing_before
        self._ledger, self._keep_html = ledger, keep_html
        self._rows: list[str] = []

    def append(self, value: Any, row: str) -> None:
        """Add the value of the next item; `row` names it in samples."""
        if isinstance(value, list | tuple):
            self.values.append(self._list(list(value), row))
        elif isinstance(value, dict):
            self._drop("a nested object left out", row)
            self.values.append(None)
        else:
            self.values.append(self._scalar(value, row))

    def array(self) -> pa.Array:
        """The column as Arrow strings, or lists of strings where any row is a list."""
        listed = [isinstance(value, list) for value in self.values]
        if not any(listed):
            return pa.array(self.values, pa.string())
        single = sum(isinstance(value, str) for value in self.values)
        self._ledger.change(
            "fields", f"{self.name}: a single value among lists made a list of one", single
        )
        as_lists = [[value] if isinstance(value, str) else value for value in self.values]
        return pa.array(as_lists, pa.list_(pa.string()))

    def _list(self, values: list[Any], row: str) -> list[str] | None:
        if len(values) > MAX_LIST:
            self._change(f"a list of more than {MAX_LIST} entries cut", row)
            values = values[:MAX_LIST]
        nested = [value for value in values if isinstance(value, list | tuple | dict)]
        if nested:
            self._drop("a nested value in a list left out", row)
        flat = [value for value in values if not isinstance(value, list | tuple | dict)]
        texts = [self._scalar(value, row) for value in flat]
        return [text for text in texts if text is not None] or None

    def _scalar(self, value: Any, row: str) -> str | None:
        if value is None:
            return None
        if isinstance(value, bytes):
            return self._text(value.decode(errors="replace"), row)
        if isinstance(value, str):
            return self._text(value, row)
        if isinstance(value, float) and not math.isfinite(value):
            self._drop("NaN or infinity taken as missing", row)
            return None
        try:
            text = written(value)
        except TypeError:
            self._drop(f"a {type(value).__name__} left out", row)
            return None
        self._change("a value that is no text written as text", row)
        return text

    def _text(self, value: str, row: str) -> str | None:
        text = value.strip()
        if not self._keep_html and ("<" in text or "&" in text):
            plain = clean_text(text)
            if plain != " ".join(text.split()):
                self._change("HTML taken out", row)
                text = plain
        if len(text) > MAX_TEXT:
            self._change(f"a text of more than {MAX_TEXT} characters cut", row)
            text = text[:MAX_TEXT].rstrip()
        try:
            text.encode()
        except UnicodeEncodeError:
            self._change("invalid Unicode replaced", row)
            text = text.encode(errors="replace").decode()
        return text or None

    def _change(self, what: str, row: str) -> None:
        self._ledger.change("fields", f"{self.name}: {what}", 1, [row])

    def _drop(self, what: str, row: str) -> None:
        self._ledger.drop("fields", f"{self.name}: {what}", 1, [row])
