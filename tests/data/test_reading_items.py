import datetime
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import FIRST_ROW, FORMATS, write_rows

from cliper.data.ledger import Ledger
from cliper.data.readers.fields import MAX_LIST, MAX_TEXT
from cliper.data.readers.general import file_rows
from cliper.data.readers.items import RawCatalogue, read_items
from cliper.errors import InputError


def read(path: Path) -> tuple[RawCatalogue, dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    ledger = Ledger()
    found = read_items(file_rows(path, "items"), ledger)
    counts = ledger.as_json()
    return found, counts["dropped"], counts["changed"]


def read_json(tmp_path: Path, rows: list[dict[str, Any]]) -> Any:
    return read(write_rows(tmp_path / "items.jsonl", rows))


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_reads_the_same(tmp_path: Path, ending: str) -> None:
    rows = [
        {"item_id": " b ", "title": ' Mug,\n"big" ', "brand": "", "image": "b.jpg"},
        {"item_id": "a", "title": "Jug &amp; mug", "brand": "Ö", "image": None},
        {"item_id": "", "title": "nobody's", "brand": "x", "image": None},
    ]
    found, dropped, _ = read(write_rows(tmp_path / f"items.{ending}", rows))
    assert found.ids == ["b", "a"]
    assert found.table.to_pydict() == {
        "title": ['Mug,\n"big"', "Jug &amp; mug"],
        "brand": [None, "Ö"],
    }
    assert found.images == ["b.jpg", None]
    assert dropped["items"] == {"no item_id": 1}
    assert found.n_read == 3


@pytest.mark.parametrize("ending", FORMATS)
def test_an_id_that_occurs_twice_is_refused(tmp_path: Path, ending: str) -> None:
    rows = [{"item_id": str(i), "title": "t"} for i in range(400)] + [
        {"item_id": "7 ", "title": ""}
    ]
    path = write_rows(tmp_path / f"items.{ending}", rows)
    first = FIRST_ROW[ending]
    expected = f"{path}, row {first + 400}: the item id '7' occurs twice, first in row {first + 7}"
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_missing_column_is_refused(tmp_path: Path, ending: str) -> None:
    path = write_rows(tmp_path / f"items.{ending}", [{"itemid": "1", "title": "t"}])
    with pytest.raises(InputError, match=r"no column 'item_id' \(did you mean 'itemid'\?\)"):
        read(path)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_description_of_a_megabyte_is_cut_and_counted(tmp_path: Path, ending: str) -> None:
    rows = [{"item_id": "1", "description": "word " * 200_000}, {"item_id": "2", "description": ""}]
    found, _, changed = read(write_rows(tmp_path / f"items.{ending}", rows))
    assert found.table["description"][0].as_py() == ("word " * 200_000)[:MAX_TEXT].rstrip()
    assert changed["fields"] == {"description: a text of more than 10000 characters cut": 1}


def test_a_list_in_one_row_and_a_string_in_the_next(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"item_id": "1", "categories": ["a ", "", None, "b"]},
        {"item_id": "2", "categories": "c"},
        {"item_id": "3", "categories": []},
        {"item_id": "4", "categories": None},
        {"item_id": "5"},
        {"item_id": "6", "categories": 7},
    ]
    found, dropped, changed = read_json(tmp_path, rows)
    assert found.table.schema.field("categories").type == pa.list_(pa.string())
    assert found.table["categories"].to_pylist() == [["a", "b"], ["c"], None, None, None, ["7"]]
    assert changed["fields"] == {
        "categories: a value that is no text written as text": 1,
        "categories: a single value among lists made a list of one": 2,
    }
    assert dropped["fields"] == {}


def test_values_that_are_no_text(tmp_path: Path) -> None:
    values = [1995, 1995.0, 9.5, True, float("nan"), float("inf"), {"a": 1}, 10**30, "x\ud800y"]
    rows = [{"item_id": str(i), "f": value} for i, value in enumerate(values)]
    found, dropped, changed = read_json(tmp_path, rows)
    texts = ["1995", "1995", "9.5", "true", None, None, None, str(10**30), "x?y"]
    assert found.table["f"].to_pylist() == texts
    assert dropped["fields"] == {
        "f: NaN or infinity taken as missing": 2,
        "f: a nested object left out": 1,
    }
    assert changed["fields"] == {
        "f: a value that is no text written as text": 5,
        "f: invalid Unicode replaced": 1,
    }


def test_nested_and_long_lists(tmp_path: Path) -> None:
    rows = [
        {"item_id": "1", "f": [["a"], {"b": 1}, "c"]},
        {"item_id": "2", "f": ["x"] * (MAX_LIST + 1)},
    ]
    found, dropped, changed = read_json(tmp_path, rows)
    assert found.table["f"].to_pylist() == [["c"], ["x"] * MAX_LIST]
    assert dropped["fields"] == {"f: a nested value in a list left out": 1}
    assert changed["fields"] == {"f: a list of more than 1000 entries cut": 1}


def test_typed_parquet_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "item_id": pa.array([1, 2]),
            "price": pa.array([9.5, None]),
            "since": pa.array([datetime.date(1995, 1, 2), None]),
            "made": pa.array([{"by": "x"}, None]),
            "raw": pa.array([b"caf\xc3\xa9", b"\xff"]),
            "tags": pa.array([["a"], None]),
        }
    )
    pq.write_table(table, tmp_path / "items.parquet")
    found, dropped, _ = read(tmp_path / "items.parquet")
    assert found.ids == ["1", "2"]
    assert found.table.to_pydict() == {
        "price": ["9.5", None],
        "since": ["1995-01-02", None],
        "made": [None, None],
        "raw": ["café", "\ufffd"],
        "tags": [["a"], None],
    }
    assert dropped["fields"] == {"made: a nested object left out": 1}


def test_fields_that_appear_late_are_missing_before(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"item_id": str(i)} for i in range(300)]
    rows.append({"item_id": "300", "title": "late", "image": ["one.jpg", "two.jpg"]})
    found, _, _ = read_json(tmp_path, rows)
    assert found.table["title"].to_pylist() == [None] * 300 + ["late"]
    assert found.images == [None] * 300 + ["one.jpg"]


@pytest.mark.parametrize("ending", FORMATS)
def test_addresses_are_told_from_paths_and_are_no_fields(tmp_path: Path, ending: str) -> None:
    rows = [
        {"item_id": "1", "image": "a.jpg", "image_url": "http://x.org/1.jpg"},
        {"item_id": "2", "image": "HTTPS://x.org/2.jpg", "image_url": " https://y.org/2 "},
        {"item_id": "3", "image": None, "image_url": "a.jpg"},
        {"item_id": "4", "image": "http://x.org/4", "image_url": "http://x.org/4"},
        {"item_id": "5", "image": "https://", "image_url": "ftp://x.org/5.jpg"},
        {"item_id": "6", "image": None, "image_url": None},
    ]
    found, dropped, _ = read(write_rows(tmp_path / f"items.{ending}", rows))
    assert found.images == ["a.jpg", None, None, None, None, None]
    assert found.image_urls == [
        ("http://x.org/1.jpg",),
        ("HTTPS://x.org/2.jpg", "https://y.org/2"),
        (),
        ("http://x.org/4",),
        (),
        (),
    ]
    assert found.table.column_names == []
    assert dropped["images"] == {"not an http(s) address": 3}


def test_lists_of_addresses_come_in_order_of_preference(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"item_id": "1", "image_urls": ["http://x.org/large", "http://x.org/small"]},
        {"item_id": "2", "image": ["http://x.org/b", "b.jpg"], "image_urls": ["http://x.org/c"]},
        {"item_id": "3", "image_urls": "http://x.org/" + "d" * 5_000},
    ]
    found, dropped, _ = read_json(tmp_path, rows)
    assert found.images == [None, "b.jpg", None]
    assert found.image_urls == [
        ("http://x.org/large", "http://x.org/small"),
        ("http://x.org/b", "http://x.org/c"),
        (),
    ]
    assert dropped["images"] == {"not an http(s) address": 1}


def test_only_ids(tmp_path: Path) -> None:
    found, _, _ = read_json(tmp_path, [{"item_id": "1"}, {"item_id": "2"}])
    assert (found.ids, found.table.num_columns, found.images) == (["1", "2"], 0, None)
    assert found.table.num_rows == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("items.csv", "", "the file is empty"),
        ("items.csv", "item_id,title\n", "the file holds no items"),
        ("items.csv", "item_id,title\n,x\n", "the file holds no items"),
        ("items.csv", 'item_id,"a\nb"\n', "row 1 or later: 'a\\nb' cannot name a field"),
        ("items.csv", 'id,"a\nb"\n1,2\n', "no column 'item_id'"),
        ("items.csv", "item_id,title\n1,x,y\n", "row 2: 3 values where the header names 2"),
        ("items.jsonl", '{"item_id": "1"', "row 1: broken JSON"),
        ("items.jsonl", '{"item_id": "1", "": 2}', "row 1 or later: '' cannot name a field"),
        ("items.jsonl", '{"item_id": "1", "\\ud800": 2}', "cannot name a field"),
        (
            "items.jsonl",
            json.dumps({"item_id": "1"} | {f"f{i}": "" for i in range(1001)}),
            "more than 1000 fields",
        ),
    ],
)
def test_broken_catalogues_are_refused_in_one_line(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(JSON, min_size=1, max_size=12))
def test_any_json_value_becomes_a_text_a_list_or_missing(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any]
) -> None:
    rows = [{"item_id": str(i), "f": value} for i, value in enumerate(values)]
    found, _, _ = read_json(tmp_path_factory.mktemp("items"), rows)
    column = found.table["f"]
    assert column.type in (pa.string(), pa.list_(pa.string()))
    for value, result in zip(values, column.to_pylist(), strict=True):
        if isinstance(value, str):
            text = value.strip() or None
            assert result in (text, [text] if text else None)
        elif isinstance(value, dict) or value is None:
            assert result is None
        elif isinstance(value, list):
            assert result is None or all(text and text == text.strip() for text in result)
