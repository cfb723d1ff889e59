import csv
import gzip
import io
import json
import unicodedata
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from writers import FIRST_ROW, FORMATS, write_rows

from cliper.data.ledger import Ledger
from cliper.data.readers.general import file_rows
from cliper.data.readers.interactions import Log, read_interactions
from cliper.data.readers.rows import CHUNK, LOG_COLUMNS
from cliper.data.readers.values import NO_ID
from cliper.errors import InputError

ZIPPED = gzip.compress(b"user_id,item_id\nu,a\n", mtime=0)


def read(path: Path, min_rating: float | None = None) -> tuple[Log, dict[str, int]]:
    ledger = Ledger()
    log = read_interactions(file_rows(path, "interactions", LOG_COLUMNS), ledger, min_rating)
    return log, ledger.dropped("rows")


def pairs(log: Log) -> list[tuple[str, str]]:
    return [(log.user_ids[u], log.item_ids[i]) for u, i in zip(log.user, log.item, strict=True)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_reads_the_same(tmp_path: Path, ending: str) -> None:
    rows = [
        {"user_id": "7", "item_id": "a", "rating": "4.5", "timestamp": "10", "note": "x"},
        {"user_id": 'é,"q"', "item_id": "b", "rating": "1", "timestamp": "-3", "note": ""},
        {"user_id": "7", "item_id": " b ", "rating": "3", "timestamp": "1997-12-04", "note": "y"},
    ]
    log, dropped = read(write_rows(tmp_path / f"log.{ending}", rows))
    assert pairs(log) == [("7", "a"), ('é,"q"', "b"), ("7", "b")]
    assert log.rating is not None
    assert log.rating.tolist() == [4.5, 1, 3]
    assert log.timestamp is not None
    assert log.timestamp.tolist() == [10, -3, 881193600]  # date -d 1997-12-04 -u +%s
    assert dropped == {}
    assert log.n_read == 3


@pytest.mark.parametrize("ending", FORMATS)
def test_bad_rows_are_dropped_by_the_first_reason(tmp_path: Path, ending: str) -> None:
    def row(user: str | None, item: str | None, rating: str | None, time: str) -> dict[str, Any]:
        return {"user_id": user, "item_id": item, "rating": rating, "timestamp": time}

    rows = [
        row("u", "a", "5", "1"),
        row("", "", "5", "1"),
        row("  ", "a", "nan", "1"),
        row("u", None, "5", "1"),
        row("u", "a", "NaN", "1"),
        row("u", "a", "five", "x"),
        row("u", "a", "inf", "1"),
        row("u", "a", None, "1"),
        row("u", "a", "3.99", "1"),
        row("u", "a", "4", "soon"),
        row("u", "zz", "4", "2"),
    ]
    path = write_rows(tmp_path / f"log.{ending}", rows)
    ledger = Ledger()
    log = read_interactions(file_rows(path, "interactions", LOG_COLUMNS), ledger, min_rating=4)
    assert pairs(log) == [("u", "a"), ("u", "zz")]
    assert log.missing_in({"c", "a"}, ledger).tolist() == [False, True]
    assert ledger.dropped("rows") == {
        "no user_id": 2,
        "no item_id": 1,
        "rating missing or not a number": 4,
        "rating below 4": 1,
        "timestamp missing or not a time": 1,
        "item not in the catalogue": 1,
    }
    first = FIRST_ROW[ending]
    samples = ledger.as_json()["samples"]["rows"]
    assert samples["item not in the catalogue"] == [f"row {first + 10}: zz"]
    assert samples["no user_id"] == [f"row {first + 1}", f"row {first + 2}"]
    assert set(log.item_ids) == {"a", "", "zz"}
    assert log.n_read == len(rows) == 1 + sum(ledger.dropped("rows").values())


def test_typed_values_of_json_and_parquet(tmp_path: Path) -> None:
    rows = [
        {"user_id": 196, "item_id": 2.0, "rating": 4, "timestamp": 5},
        {"user_id": "196", "item_id": "2", "rating": float("nan"), "timestamp": 5},
        {"user_id": None, "item_id": "2", "rating": 3.5, "timestamp": 5},
        {"user_id": "196", "item_id": "3", "rating": True, "timestamp": 5.9},
        {"user_id": "196", "item_id": "4", "rating": "3", "timestamp": [5]},
        {"user_id": "196", "item_id": "5", "rating": "3", "timestamp": 5.9},
    ]
    log, dropped = read(write_rows(tmp_path / "log.jsonl", rows))
    assert pairs(log) == [("196", "2"), ("196", "5")]
    assert log.timestamp is not None
    assert (log.timestamp.tolist(), log.time_unit) == ([5000, 5900], "ms")
    assert dropped == {
        "rating missing or not a number": 2,
        "no user_id": 1,
        "timestamp missing or not a time": 1,
    }
    table = {
        "user_id": pa.array([1, 2, None]),
        "item_id": pa.array([1.0, 2.0, 3.0]),
        "rating": pa.array([1.0, float("nan"), 2.0]),
        "timestamp": pa.array([10**9, 2 * 10**9, 3], pa.timestamp("ns")),
    }
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    log, dropped = read(tmp_path / "log.parquet")
    assert pairs(log) == [("1", "1")]
    assert log.timestamp is not None
    assert log.timestamp.tolist() == [1]
    assert dropped == {"no user_id": 1, "rating missing or not a number": 1}


def test_encoded_columns_of_parquet(tmp_path: Path) -> None:
    ids = pa.array(["a", "b", "a"])
    table = {
        "user_id": ids.dictionary_encode(),
        "item_id": ids,
        "rating": pa.array(["4", "5", "4"]).dictionary_encode(),
        "timestamp": pa.array([3, 4, 5], pa.uint32()),
    }
    with suppress(pa.ArrowNotImplementedError):  # early versions cannot make or write them
        viewed = {**table, "item_id": ids.cast(pa.string_view())}
        pq.write_table(pa.table(viewed), tmp_path / "views.parquet")
        table = viewed
    pq.write_table(pa.table(table), tmp_path / "log.parquet")
    log, dropped = read(tmp_path / "log.parquet")
    assert pairs(log) == [("a", "a"), ("b", "b"), ("a", "a")]
    assert log.rating is not None
    assert log.rating.tolist() == [4, 5, 4]
    assert log.timestamp is not None
    assert log.timestamp.tolist() == [3, 4, 5]
    assert dropped == {}


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_bom_line_endings_and_blank_lines(tmp_path: Path, newline: str, mark: str) -> None:
    lines = [f"{mark}user_id,item_id", "u,a", "", "v,b", ""]
    log, dropped = read(write(tmp_path / "log.csv", newline.join(lines)))
    assert pairs(log) == [("u", "a"), ("v", "b")]
    assert dropped == {}
    if newline != "\r":
        lines = [mark + '{"user_id": "u", "item_id": "a"}', "", '{"user_id": "v", "item_id": "b"}']
        log, _ = read(write(tmp_path / "log.jsonl", newline.join(lines)))
        assert pairs(log) == [("u", "a"), ("v", "b")]


def test_tabs(tmp_path: Path) -> None:
    log, _ = read(write(tmp_path / "log.tsv", "user_id\titem_id\nu,1\ta\n"))
    assert pairs(log) == [("u,1", "a")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.csv", "", "log.csv: the file is empty"),
        ("log.jsonl", "", "log.jsonl: the file is empty"),
        ("log.parquet", "", "log.parquet: the file is empty"),
        ("log.jsonl", "\n \n", "the file holds no rows"),
        ("log.csv", "user_id,item_id\n", "a header and no rows"),
        ("log.csv", "\n\n", "no header"),
        ("log.csv", "user_id,item\nu,a\n", "no column 'item_id' (did you mean 'item'?)"),
        ("log.csv", "a,b\nu,a\n", "no column 'user_id' (rename one; the file has: a, b)"),
        ("log.csv", "user_id;item_id\nu;a\n", "separated by ';', not by ',' (--delimiter ';')"),
        ("log.jsonl", '{"user_id": "u", "thing": 1}\n', "no column 'item_id'"),
        ("log.csv", "user_id,item_id,user_id\nu,a,u\n", "row 1: the column 'user_id' occurs twice"),
        ("log.csv", "user_id,item_id,\nu,a,\n", "row 1: a column has no name"),
        ("log.csv", "user_id,item_id\nu,a\nv,b,c\n", "row 3: 3 values where the header names 2"),
        ("log.csv", "user_id,item_id\nu,a\n\nv\n", "row 4: 1 values where the header names 2"),
        ("log.csv", 'user_id,item_id\nu,a\nv,"b\nw,c\n', "row 3: broken CSV"),
        ("log.csv", 'user_id,item_id\nu,a\nv,"b"x\n', "row 3: broken CSV"),
        ("log.csv", b"user_id,item_id\nu,a\nv,\xff\n", "row 3: the text is not UTF-8"),
        ("log.jsonl", b'{"user_id": "u", "item_id": "\xe9"}\n', "row 1: the text is not UTF-8"),
        ("log.jsonl", '{"user_id": "u", "item_id": "a"}\n{"user', "row 2: broken JSON"),
        ("log.jsonl", '{"user_id": "u", "item_id": "a"}\n[1]\n', "row 2: a list where an object"),
        ("log.jsonl", "[" * 100_000, "log.jsonl: broken JSON"),
        ("log.jsonl", "1" * 5_000, "row 1: broken JSON"),
        ("log.jsonl", '{"user_id": "u", "item_id": ["a"]}', "row 1: \"['a']\" is no id"),
        ("log.jsonl", '{"user_id": "u", "item_id": true}', "row 1: 'True' is no id"),
        ("log.jsonl", '{"user_id": 1.5, "item_id": 1}', "row 1: '1.5' is no id"),
        ("log.jsonl", '{"user_id": "\\ud800", "item_id": 1}', "row 1: an id is not valid Unicode"),
        ("log.xlsx", "PK", "unknown file ending '.xlsx' (use .csv"),
        ("log", "user_id,item_id\n", "unknown file ending ''"),
        ("log.parquet.gz", b"\x1f\x8b", "unknown file ending '.gz'"),
        ("log.csv", ZIPPED, "gzip data without a .gz ending"),
        ("log.csv.gz", "user_id,item_id\nu,a\n", "the ending is .gz, the data is not"),
        ("log.csv.gz", ZIPPED[:-9], "cut off or damaged"),
        ("log.parquet", "user_id,item_id\nu,a\n", "not Parquet data"),
        ("log.parquet", b"PAR1 and then nothing", "damaged or unreadable data"),
        ("log.csv", b"PAR1", "Parquet data under another ending"),
    ],
)
def test_broken_files_are_refused_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert str(path) in text
    assert message in text
    assert "\n" not in text


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "log.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="not a file"):
        read(tmp_path / "folder.csv")


def test_a_parquet_cut_off_in_the_middle(tmp_path: Path) -> None:
    rows = [{"user_id": f"u{i}", "item_id": f"i{i}"} for i in range(1000)]
    path = write_rows(tmp_path / "log.parquet", rows)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged or unreadable"):
        read(path)


def test_parquet_ids_of_another_type(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user_id": [[1]], "item_id": ["a"]}), tmp_path / "log.parquet")
    with pytest.raises(InputError, match="ids of type list"):
        read(tmp_path / "log.parquet")


def test_min_rating_needs_ratings(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "user_id,item_id\nu,a\n")
    with pytest.raises(InputError, match="no column 'rating'"):
        read(path, min_rating=0)


def test_a_key_that_appears_late_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CHUNK, "interactions", 2)
    rows = [json.dumps({"user_id": "u", "item_id": "a"})] * 2
    late = json.dumps({"user_id": "u", "item_id": "a", "rating": 2})
    with pytest.raises(InputError, match="row 3 or later: the key 'rating'"):
        read(write(tmp_path / "log.jsonl", "\n".join([*rows, late])))


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1
).filter(lambda text: text not in NO_ID and unicodedata.is_normalized("NFC", text))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=30),
    chunk=st.integers(1, 7),
    ending=st.sampled_from(["csv", "jsonl", "parquet"]),
)
def test_any_ids_survive_any_chunking(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str]],
    chunk: int,
    ending: str,
) -> None:
    path = tmp_path_factory.mktemp("log") / f"log.{ending}"
    write_rows(path, [{"user_id": user, "item_id": item} for user, item in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CHUNK, "interactions", chunk)
        log, dropped = read(path)
    assert pairs(log) == rows
    assert dropped == {}


def test_row_numbers_go_on_over_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHUNK, "interactions", 3)
    text = io.StringIO()
    csv.writer(text).writerows([["user_id", "item_id"], *[["u", "a"]] * 10, ["", "a"], ["u"]])
    ledger = Ledger()
    with pytest.raises(InputError, match="row 13: 1 values"):
        read(write(tmp_path / "log.csv", text.getvalue()))
    lines = text.getvalue().splitlines()[:-1]
    path = write(tmp_path / "log.csv", "\n".join(lines))
    read_interactions(file_rows(path, "interactions", LOG_COLUMNS), ledger)
    assert ledger.as_json()["samples"]["rows"]["no user_id"][0] == "row 12"
