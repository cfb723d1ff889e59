"""Texts of published catalogues without the HTML that was scraped along with them."""

import html
import math
import re
from collections.abc import Iterator
from typing import Any

_SCRIPT = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.S | re.I)
_INLINE = re.compile(
    r"<!--.*?(?:-->|\Z)|</?(?:a|abbr|b|big|cite|code|em|font|i|mark|q|s|small|span|strong|sub|sup|tt|u)"
    r"(?:\s[^<>]*)?>",
    re.S | re.I,
)
_TAG = re.compile(r"</?[a-z][^<>]*>|<![a-z][^<>]*>", re.I)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def clean_text(text: str) -> str:
    """Entities resolved, tags taken out, white space made single blanks.

    Entities count with their semicolon alone: `AT&T` and `B&notes` stay what they are. Tags in
    escaped form (`&lt;br&gt;`) are taken out as well. A tag within a word leaves nothing behind,
    any other a blank; scripts and styles go with what is in them.

    >>> clean_text("Girl's <b>Ballet</b> &amp; Tap<br />3 &lt; 5 caf&eacute; &amp;quot;")
    'Girl\\'s Ballet & Tap 3 < 5 café "'
    """
    if "&" in text:
        text = _unescaped(_unescaped(text))  # twice: some files were escaped twice
    if "<" in text:
        text = _TAG.sub(" ", _INLINE.sub("", _SCRIPT.sub(" ", text)))
    return " ".join(text.split())


def texts(value: Any) -> Iterator[str]:
    """The texts in a value, however its lists are nested; numbers as text, the rest left out.

    >>> list(texts([["Baby", ["Toys"]], "Baby", 3, None, float("nan"), {"a": 1}]))
    ['Baby', 'Toys', 'Baby', '3']
    """
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list | tuple):
            pending.extend(reversed(one))
        elif isinstance(one, bool):
            continue
        elif isinstance(one, int) or (isinstance(one, float) and math.isfinite(one)):
            yield str(one)


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text)
