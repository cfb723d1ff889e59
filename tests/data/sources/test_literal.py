"""The quick literal reader against `ast.literal_eval`, on whatever Python can write."""

import ast
import json
import warnings
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cliper.data.sources import literal
from cliper.data.sources.literal import parse_literal

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text(
    st.sampled_from("'\"\\ntxu0d8{}[]:, é\U0001f600\t\x00\x7f#")
)
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
VALUE = st.recursive(
    LEAF,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=20,
)


def evaluate(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.literal_eval(text)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types (1 == True == 1.0 in Python)."""
    return repr(one) == repr(other)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=6))
def test_what_repr_writes_comes_back(value: dict[str, Any]) -> None:
    text = repr(value)
    if "inf" in text and not _evaluates(text):  # repr writes a name where a number overflows
        return
    assert same(parse_literal(text), evaluate(text))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXT, VALUE, max_size=6))
def test_what_ascii_writes_comes_back(value: dict[str, Any]) -> None:
    text = ascii(value)
    if _evaluates(text):
        assert same(parse_literal(text), evaluate(text))


@settings(max_examples=1500, deadline=None)
@given(st.text(st.sampled_from("'\"\\\\nxu0019adefDE8{}[]():,. -+_rbNone#truefalsnl"), max_size=24))
@example(r"'\ud83d\ude00'")
@example(r"{'a': '\ud83d'}")
@example("{'a': true}")
@example("{'a': null, 'b': 'false'}")
@example("{'a': 'x' 'y'}")
@example("{'a': '''x''', 'b': ''}")
@example("{'a': ''''}")
@example(
    r"{'a': '\/ \N{DIGIT ONE} \07 \a \
'}"
)
@example("{'a': u'x', 'b': b'y', 'c': r'\\d'}")
@example("{'a': 1_000, 'b': 0x1F, 'c': 1., 'd': -0, 'e': 1e400, 'f': 2+3j}")
@example("{'a': NaN, 'b': Infinity}")
@example("{'a': 1, 'a': 2}")
@example("{'a': 123456789012345678901234567890}")
@example("{1: 2, ('a',): {'b'}}")
@example("{'a': 'tab\there'}")
@example("{'a': 1} # 'comment'")
def test_any_text_means_the_same_or_nothing(text: str) -> None:
    """What Python refuses, JSON must not let in, and the other way round."""
    if _evaluates(text):
        assert same(parse_literal(text), evaluate(text))
    else:
        with pytest.raises(ValueError):
            parse_literal(text)


def _evaluates(text: str) -> bool:
    try:
        evaluate(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
    return True


def test_usual_lines_never_reach_the_syntax_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literal, "_evaluate", lambda text: pytest.fail(text))
    value = {
        "asin": "0000031852",
        "title": 'Girl\'s "Ballet" Tutu \\ café \x80 caf\\xe9\n',
        "price": 3.17,
        "related": {"also_bought": ["B00JHONN1S", "B002BZX8Z6"], "buy_after_viewing": []},
        "salesRank": {"Toys & Games": 211836},
        "categories": [["Sports & Outdoors", "Other Sports", "Dance"], ["Baby's"]],
    }
    assert parse_literal(repr(value)) == parse_literal(ascii(value)) == value
    assert parse_literal(json.dumps({"a": "it's"})) == {"a": "it's"}


HOSTILE = [
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
