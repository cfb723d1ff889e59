"""Answers of a language model, read as data from a stranger: by strict forms, in bounded time."""

import re
from collections.abc import Sequence

from cliper.augment.prompts import one_line

USED, MALFORMED = "used", "malformed"
UNKNOWN_ITEM, TWICE, UNKNOWN = "unknown item", "the same item twice", "unknown"

LOOKED_AT = 4000
"""Characters of an answer; what comes after them is not looked at."""

VALUE, PROFILE = 100, 500
"""Characters of an attribute's value and of a profile."""

DIFFERENT_LETTERS = 6
"""A profile with fewer is no description (`aaaa`, `:::`, `{"{"{"`)."""

_PAIR = re.compile(r"\[?(\d{1,9})\]?\s*::\s*\[?(\d{1,9})\]?\.?", re.ASCII)
_NOTHING = frozenset({"", "unknown", "n/a", "none", "null", "-", "?"})


def read_feedback(answer: str, candidates: int) -> tuple[tuple[int, int] | None, str]:
    """Positions (from 0) of the liked and the disliked candidate, and what the answer counts as.

    >>> read_feedback(" 3::7\\nbecause …", 10)
    ((2, 6), 'used')
    >>> read_feedback("3::11", 10)
    (None, 'unknown item')
    >>> read_feedback('{"liked": 3}', 10)
    (None, 'malformed')
    """
    line = next((part.strip() for part in answer[:LOOKED_AT].splitlines() if part.strip()), "")
    found = _PAIR.fullmatch(line)
    if found is None:
        return None, MALFORMED
    liked, disliked = int(found[1]), int(found[2])
    if not (1 <= liked <= candidates and 1 <= disliked <= candidates):
        return None, UNKNOWN_ITEM
    if liked == disliked:
        return None, TWICE
    return (liked - 1, disliked - 1), USED


def read_attributes(answer: str, names: Sequence[str]) -> tuple[dict[str, str], str]:
    """The values that an answer gives to the attributes asked for, and what it counts as.

    >>> read_attributes("Director: Kurosawa\\ncountry: unknown", ["director", "country"])
    ({'director': 'Kurosawa'}, 'used')
    """
    told: dict[str, str] = {}
    for line in answer[:LOOKED_AT].splitlines():
        name, colon, value = line.partition(":")
        key = name.strip(" -*[]").casefold()
        wanted = next((n for n in names if n.casefold() == key), None)
        if colon and wanted is not None:
            told.setdefault(wanted, one_line(value, VALUE))
    values = {n: told[n] for n in names if told.get(n, "").casefold() not in _NOTHING}
    if values:
        return values, USED
    return {}, UNKNOWN if told else MALFORMED


def read_profile(answer: str) -> tuple[str | None, str]:
    """The description in an answer as one line, and what it counts as.

    >>> read_profile("Likes quiet films,\\nnot loud ones.")
    ('Likes quiet films, not loud ones.', 'used')
    """
    text = one_line(answer[:LOOKED_AT], PROFILE)
    if len({c for c in text.casefold() if c.isalpha()}) < DIFFERENT_LETTERS:
        return None, MALFORMED
    return text, USED
