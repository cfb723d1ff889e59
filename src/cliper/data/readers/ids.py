"""Ids that a spreadsheet or a data frame has spoilt, told by the ids that they might be."""

from collections.abc import Callable, Collection, Sequence

_SPOILT: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("'.0' at the end", lambda one: one.removesuffix(".0")),
    ("zeros in front", lambda one: one.lstrip("0")),
    ("capitals", str.casefold),
    ("blanks", lambda one: "".join(one.split())),
)


def near_miss(unknown: Sequence[str], listed: Collection[str]) -> str:
    """What most of the unknown ids differ in from listed ones; "" where they do not resemble any.

    >>> near_miss(["1000.0", "7.0", "x"], ["1000", "7"])
    "item ids differ by '.0' at the end: '1000.0' in the log, '1000' in the catalogue, and 1 more"
    """
    found = []
    for what, plain in _SPOILT:
        known = {plain(one): one for one in listed}
        alike = [(one, known[plain(one)]) for one in unknown if plain(one) in known]
        found.append((len(alike), what, alike[:1]))
    count, what, first = max(found, key=lambda one: one[0])
    if not count:
        return ""
    more = f", and {count - 1:,} more" if count > 1 else ""
    (ours, theirs) = first[0]
    return f"item ids differ by {what}: {ours!r} in the log, {theirs!r} in the catalogue{more}"
