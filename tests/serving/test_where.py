"""Filters against a loop over plain Python values."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliper.errors import InputError
from cliper.serving.where import Fields

ROWS: list[dict[str, Any]] = [
    {"kind": "bag", "price": "49.90", "tags": ["red", "new"]},
    {"kind": "shoe", "price": " 50 ", "tags": []},
    {"kind": None, "price": "5e1", "tags": None},
    {"kind": "bag", "price": "about 20", "tags": ["red", None]},
    {"kind": "Bag", "price": None, "tags": ["old"]},
    {"kind": "7", "price": "-3", "tags": ["12", "90"]},
]
SCHEMA = pa.schema([("kind", pa.string()), ("price", pa.string()), ("tags", pa.list_(pa.string()))])
FIELDS = Fields(pa.Table.from_pylist(ROWS, SCHEMA))


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def meets(value: str, operator: str, wanted: Any) -> bool:
    if operator == "in":
        among = wanted if isinstance(wanted, list) else [wanted]
        return any(value == w if isinstance(w, str) else number(value) == w for w in among)
    x = number(value)
    compared = {"lt": x < wanted, "le": x <= wanted, "gt": x > wanted, "ge": x >= wanted}
    return compared[operator]


def expected(row: dict[str, Any], where: dict[str, Any]) -> bool:
    for field, condition in where.items():
        held = row[field] if isinstance(row[field], list) else [row[field]]
        values = [value for value in held if value is not None]
        tests = dict(condition) if isinstance(condition, dict) else {"in": condition}
        refused = tests.pop("not_in", None)
        if refused is not None and any(meets(value, "in", refused) for value in values):
            return False
        if tests and not any(all(meets(v, *test) for test in tests.items()) for v in values):
            return False
    return True


WORDS = st.sampled_from(["bag", "shoe", "Bag", "red", "old", "nothing", 7, 50, 12.0])
LISTS = st.lists(WORDS, max_size=3)
LIMITS = st.sampled_from([-3, 0, 49.9, 50, 89.5])
TESTS = st.dictionaries(st.sampled_from(["lt", "le", "gt", "ge"]), LIMITS, max_size=3)
OTHERS = st.dictionaries(st.sampled_from(["in", "not_in"]), LISTS, max_size=2)
CONDITIONS = WORDS | LISTS | st.builds(lambda a, b: a | b, TESTS, OTHERS).filter(bool)


@given(st.dictionaries(st.sampled_from(["kind", "price", "tags"]), CONDITIONS))
def test_as_a_loop_says(where: dict[str, Any]) -> None:
    assert FIELDS.mask(where).tolist() == [expected(row, where) for row in ROWS], json.dumps(where)


def test_by_hand() -> None:
    def found(where: dict[str, Any]) -> list[int]:
        return [at for at, met in enumerate(FIELDS.mask(where)) if met]

    assert found({"kind": ["bag"], "price": {"lt": 50}}) == [0]
    assert found({"price": {"ge": 50}}) == [1, 2]
    assert found({"tags": "red"}) == [0, 3]
    assert found({"tags": {"gt": 20, "lt": 80}}) == []  # no value between them, though 12 and 90
    assert found({"kind": {"not_in": ["bag"]}}) == [1, 2, 4, 5]
    assert found({"kind": {"bag", "shoe"}, "price": {"lt": np.float64(50)}}) == [0]
    assert found({"price": np.array([50, -3])}) == [1, 2, 5]
    assert found({}) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"kinds": "bag"}, "no field 'kinds'.*did you mean 'kind'"),
        ({"price": {"lte": 5}}, "unknown operator 'lte'"),
        ({"price": {"lt": "5"}}, "not a number: '5'"),
        ({"price": {"lt": True}}, "cannot compare with a bool"),
        ({"price": {"lt": float("nan")}}, "not a number that a field can have"),
        ({"price": 10**400}, "not a number that a field can have"),
        ({"kind": b"bag"}, "cannot compare with a bytes"),
        ({"kind": "\ud800"}, "not valid Unicode"),
        ({"price": {}}, "no condition"),
        ({"price": [None]}, "cannot compare with a NoneType"),
        (["kind"], "a filter is a mapping"),
    ],
)
def test_what_makes_no_sense_is_one_line(where: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        FIELDS.mask(where)
    assert "\n" not in str(caught.value)


def test_truth_values_are_the_words_that_a_catalogue_holds() -> None:
    fields = Fields(pa.table({"new": ["true", "false", None, "yes"]}))
    assert fields.mask({"new": True}).tolist() == [True, False, False, False]
    assert fields.mask({"new": [False, "yes"]}).tolist() == [False, True, False, True]
    assert fields.mask({"new": {"not_in": True}}).tolist() == [False, True, True, True]


@pytest.mark.parametrize("rows", [ROWS, [*ROWS, {}, ROWS[0], {}], [{}]])
def test_words_are_found_also_among_items_of_which_nothing_is_said(
    rows: list[dict[str, Any]],
) -> None:
    """As a loop over words and items says."""
    fields = Fields(pa.Table.from_pylist(rows, SCHEMA))
    expected = []
    for row in rows:
        said = [row.get("kind"), row.get("price"), *(row.get("tags") or [])]
        text = " ".join(part for part in said if part).lower()
        expected.append(sum(word in text for word in ("bag", "50", "new")) / 3)
    assert fields.words("Bag 50 NEW bag") == pytest.approx(expected)
