"""Python literals: what is written comes back, what means harm is refused."""

import pytest

from cliper.data.sources.literal import parse_literal


@pytest.mark.parametrize("write", [repr, ascii])
def test_a_usual_line_comes_back(write) -> None:
    value = {
        "asin": "0000031852",
        "title": 'Girl\'s "Ballet" Tutu \\ café \x80 caf\\xe9\n\U0001f600',
        "price": 3.17,
        "brand": None,
        "related": {"also_bought": ["B00JHONN1S", "B002BZX8Z6"], "buy_after_viewing": []},
        "salesRank": {"Toys & Games": 211836},
        "categories": [["Sports & Outdoors", "Other Sports", "Dance"], ["Baby's"]],
    }
    assert parse_literal(write(value)) == value


HOSTILE = [
    "{'a': true}",
    "{'a': NaN}",
    "[" * 100_000,
    "(" * 100_000 + ")" * 100_000,
    "-" * 100_000 + "1",
    "1+" * 100_000 + "1",
    "{'a': " * 50_000 + "1" + "}" * 50_000,
    "'" + "a" * 3_000_000,
    "'\\" * 500_000,
    "'a' " * 400_000,
    "{1: 2, " * 300_000,
    "__import__('os').system('true')",
    "{'a': (lambda: 1)()}",
    "9" * 5_000,
    "{'a': f'{1}'}",
    "{'a': [x for x in (1, 2)]}",
    "{'a': {}}" + "\x00",
    "",
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12] or "empty")
def test_hostile_lines_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_literal(text)


def test_unknown_escapes_warn_nobody(recwarn: pytest.WarningsRecorder) -> None:
    assert parse_literal(r"{'a': '\/'}") == {"a": "\\/"}
    assert not recwarn.list
