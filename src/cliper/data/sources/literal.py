"""Python literals as data: what `ast.literal_eval` says, at the speed of JSON.

The metadata of Amazon's 2014 release is one Python dictionary a line, as `repr` writes it.
`ast.literal_eval` reads it safely but builds a syntax tree first. Nearly all of these lines differ
from JSON in their quotes and escapes alone, so those are rewritten and the result is given to the
JSON reader. Whatever JSON could understand in another way than Python (`true`, `NaN`, surrogate
pairs) and whatever it cannot understand (`None`, tuples, joined strings) goes to
`ast.literal_eval`.
"""

import ast
import json
import re
import warnings
from typing import Any, NoReturn

MAX_TREE = 2**20  # characters; a syntax tree takes some hundred bytes for each

_STRING = r"""'(?P<single>(?:[^'\\]++|\\.)*+)'|"(?P<double>(?:[^"\\]++|\\.)*+)\""""
# A stretch of strings in single quotes without escapes, or one string of another kind.
_STRETCH = re.compile(rf"""(?:[^'"]*+'[^'"\\]*+')++|[^'"]*+(?:{_STRING})""", re.DOTALL)
_ESCAPE = re.compile(r"""\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)|\"""", re.DOTALL)
_SAME = {r"\\": r"\\", r"\n": r"\n", r"\t": r"\t", r"\r": r"\r", r"\b": r"\b", r"\f": r"\f"}
_PAIRS = {**_SAME, r"\'": "'", r"\"": r"\"", '"': r"\""}


class _Unusual(ValueError):
    """The text needs the full reader."""


def parse_literal(text: str) -> Any:
    """The value of a Python literal.

    Equal to `ast.literal_eval(text)` wherever that gives a value.

    >>> parse_literal("{'asin': 'B01', 'title': \\"Baby's first\\", 'price': 9.5, 'brand': None}")
    {'asin': 'B01', 'title': "Baby's first", 'price': 9.5, 'brand': None}

    Raises:
        ValueError: no literal, or one too long or too deep to be read safely.
    """
    if "true" not in text and "false" not in text and "null" not in text:
        try:
            return _DECODER.decode(_as_json(text))
        except (ValueError, RecursionError):
            pass
    return _evaluate(text)


def _as_json(text: str) -> str:
    """The literal with JSON's quotes and escapes; its value is the same if it is JSON at all."""
    pieces: list[str] = []
    end = 0
    while match := _STRETCH.match(text, end):
        end = match.end()
        if match.lastgroup is None:
            pieces.append(match[0].replace("'", '"'))
            continue
        inside = match[match.lastgroup]
        if "\\" in inside or '"' in inside:
            inside = _ESCAPE.sub(_escape, inside)
        pieces += [text[match.start() : match.start(match.lastgroup) - 1], '"', inside, '"']
    rest = text[end:]
    if "'" in rest or '"' in rest:
        raise _Unusual
    pieces.append(rest)
    return "".join(pieces)


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if found in _PAIRS:
        return _PAIRS[found]
    if found[1] == "x" and len(found) == 4:
        return rf"\u00{found[2:]}"
    # Two surrogates in a row are one character to JSON and two to Python.
    if found[1] == "u" and len(found) == 6 and found[2:4].lower() < "d8":
        return found
    raise _Unusual


def _no_constant(name: str) -> NoReturn:
    raise _Unusual(name)  # NaN and Infinity are names to Python


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _evaluate(text: str) -> Any:
    if len(text) > MAX_TREE:
        raise ValueError(f"a literal of more than {MAX_TREE} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on unknown escapes, which stay as they are
            return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a Python literal ({type(error).__name__})") from None
