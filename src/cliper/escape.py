"""Texts of strangers, made harmless for terminals and spreadsheets."""

import re

_UNSEEN = (*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF,
           *range(0x202A, 0x202F), *range(0x2066, 0x206A))  # fmt: skip
_NAMES = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _UNSEEN}
_NAMES |= {ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}
_JSON = {code: f"\\u{code:04x}" for code in _UNSEEN if code >= 0x7F}
_LINES = {code: name for code, name in _NAMES.items() if code != ord("\n")}
_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?")


def one_line(text: str) -> str:
    r"""Control characters and marks that turn the direction of text, by name.

    >>> print(one_line("a\x1b]52;c;Zg==\x07\nb"))
    a\x1b]52;c;Zg==\x07\nb
    """
    return text.translate(_NAMES)


def lines(text: str) -> str:
    """The same, but ends of lines stay."""
    return text.translate(_LINES)


def in_json(text: str) -> str:
    """The same of a JSON text, which stays one: JSON itself names the first of them."""
    return text.translate(_JSON)


def in_csv(text: str) -> str:
    """The same of a cell; what a spreadsheet would run as a formula gets an apostrophe.

    >>> in_csv("=1+1"), in_csv("-3.5"), in_csv("-cmd")
    ("'=1+1", '-3.5', "'-cmd")
    """
    text = one_line(text)
    runs = text[:1] in ("=", "+", "-", "@") and len(text) > 1 and not _NUMBER.fullmatch(text)
    return f"'{text}" if runs else text
