"""Lines in blocks, against the simple way to read them."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data.ledger import Ledger
from cliper.data.readers.rows import Rows
from cliper.data.sources import lines
from cliper.data.sources.amazon.items import records
from cliper.data.sources.amazon.releases import RELEASES
from cliper.data.sources.delimited import delimited_log
from cliper.data.sources.lines import decode, lines_of
from cliper.errors import InputError


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).map(lambda data: data.replace(b"\xef", b"")), st.integers(1, 9))
def test_blocks_do_not_matter(data: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_BLOCK", block)
        found = list(lines_of(io.BytesIO(data)))
    expected = data.split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize("block", [1, 3, 7, 100])
def test_long_lines_are_told_and_the_next_is_whole(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(lines, "_BLOCK", block)
    monkeypatch.setattr(lines, "MAX_LINE", 10)
    data = b"short\n" + b"x" * 200 + b"\nnext\n" + b"y" * 150
    found = list(lines_of(io.BytesIO(data)))
    assert found in ([b"short", None, b"next", None], [b"short", b"x" * 200, b"next", b"y" * 150])
    if block < 10:
        assert found[1] is None


def test_a_byte_order_mark_is_no_text() -> None:
    assert list(lines_of(io.BytesIO(b"\xef\xbb\xbfa\nb"))) == [b"a", b"b"]


@given(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"])))
def test_utf_8_is_utf_8(text: str) -> None:
    assert decode(text.encode()) == (text, True)


@given(st.text(st.characters(min_codepoint=0xA0, max_codepoint=0xFF), min_size=1))
def test_latin_1_where_it_cannot_be_utf_8(text: str) -> None:
    found, utf8 = decode(text.encode("latin-1"))
    try:
        assert (found, utf8) == (text.encode("latin-1").decode(), True)
    except UnicodeDecodeError:
        assert not utf8
        assert decode(b"caf\xe9 caf\xc3\xa9") == ("café café", False)


def read(path: Path, ledger: Ledger) -> list[tuple[int, object]]:
    return list(records(path, RELEASES[2023], ledger, "items", lambda _: None))


def test_records_and_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(
        b'{"a": 1}\r\n\n  {"b": "\xe9"} \n[1]\n{"c": \n"d"\n' + b"[" * 20_000 + b"\n{}"
    )
    ledger = Ledger()
    found = read(path, ledger)
    assert found == [
        (1, {"a": 1}),
        (3, {"b": "é"}),
        (4, None),
        (5, None),
        (6, None),
        (7, None),
        (8, {}),
    ]
    about = ledger.as_json()
    assert about["dropped"]["items"] == {"not a JSON object": 4}
    assert about["changed"]["items"] == {"bytes that are not UTF-8 read as Latin-1": 1}
    assert about["samples"]["items"]["not a JSON object"][:2] == ["line 4: [1]", 'line 5: {"c":']
    assert about["samples"]["items"]["bytes that are not UTF-8 read as Latin-1"] == ["line 3"]


def test_progress_counts_the_bytes_on_disk(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "x.json.gz"
    path.write_bytes(gzip.compress(b'{"a": "' + bytes(range(97, 123)) * 5_000 + b'"}\n' * 1, 1))
    seen: list[float] = []
    list(records(path, RELEASES[2023], Ledger(), "items", seen.append))
    assert sum(seen) == path.stat().st_size


def rows(table: Rows) -> list[tuple[int, ...]]:
    found = []
    for chunk in table.chunks():
        columns = [chunk.columns[name] for name in chunk.names]
        found += list(zip(chunk.numbers.tolist(), *columns, strict=True))
    return found


def test_delimited_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.dat"
    path.write_bytes(b"1::a::5\n2::b\n\n3::\xe9::4::x\n4::\xe9::\r\n")
    ledger = Ledger()
    table = delimited_log(path, "::", ["user_id", "item_id", ""], ledger)
    assert rows(table) == [(1, "1", "a"), (5, "4", "é")]
    assert ledger.dropped("rows") == {"not 3 values": 2}
    assert ledger.as_json()["samples"]["rows"]["not 3 values"] == [
        "line 2: 2::b",
        "line 4: 3::é::4::x",
    ]


def test_delimited_with_a_header_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("when,parent_asin,user_id\n5,a,u\n")
    names = {"user_id": "user_id", "parent_asin": "item_id"}
    table = delimited_log(path, ",", names, Ledger())
    assert rows(table) == [(2, "a", "u")]
    path.write_text("when,asin,user_id\n5,a,u\n")
    with pytest.raises(InputError, match=r"line 1: no column 'parent_asin' \(it has: when, asin"):
        rows(table)


def test_delimited_files_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_text("1,2,3,4\n" * 3)
    with pytest.raises(InputError, match=r"none of its 3 lines has 4 values parted by"):
        rows(delimited_log(path, "\t", ["a", "b", "c", "d"], Ledger()))
