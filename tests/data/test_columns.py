"""Files as people have them, each against the same log written as the documentation says."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from cliper.data import Dataset, prepare_files
from cliper.data.readers.columns import parse_columns
from cliper.data.readers.formats import Format
from cliper.errors import InputError

ROWS = [(f"u{u}", f"{1000 + i}", (u * i) % 5 + 0.5, 60 * u + i) for u in range(6) for i in range(5)]
ITEMS = [{"item_id": str(1000 + i), "title": f"thing {i}"} for i in range(5)]


def csv_text(header: str, sign: str = ",", decimal: str = ".") -> str:
    lines = [sign.join((u, i, str(r).replace(".", decimal), str(t))) for u, i, r, t in ROWS]
    return "\n".join([header.replace(",", sign), *lines]) + "\n"


PLAIN = csv_text("user_id,item_id,rating,timestamp")


def prepared(path: Path, content: bytes, items: list[dict[str, str]] | None = None, **o) -> Dataset:
    path.write_bytes(content)
    catalogue = None
    if items is not None:
        catalogue = path.with_name("items.jsonl")
        catalogue.write_text("".join(json.dumps(row) + "\n" for row in items))
    return prepare_files(catalogue, path, None, path.with_name("ds"), k_core=0, **o)


def packed(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


OBJECTS = [dict(zip(("user_id", "item_id", "rating", "timestamp"), r, strict=True)) for r in ROWS]
SAME = {
    "log.tsv": (PLAIN.replace(",", "\t").encode(), {}),
    "log.csv.zst": (pa.compress(PLAIN.encode(), "zstd", asbytes=True), {}),
    "log.zip": (packed("orders.csv", PLAIN.encode()), {}),
    "a.json": (json.dumps(OBJECTS, indent=1).encode(), {}),
    "a.json.gz": (gzip.compress(json.dumps(OBJECTS).encode()), {}),
    "l.json": ("\n".join(map(json.dumps, OBJECTS)).encode(), {}),
    "semicolon.csv": (
        csv_text("user_id,item_id,rating,timestamp", ";", ",").encode(),
        {"form": Format(delimiter=";", decimal=",")},
    ),
    "utf-16.csv": (PLAIN.encode("utf-16"), {"form": Format(encoding="utf-16")}),
    "bom.csv": (PLAIN.encode("utf-8-sig"), {}),
    "recbole.inter": (
        csv_text("user_id:token,item_id:token,rating:float,timestamp:float", "\t").encode(),
        {},
    ),
    "names.csv": (csv_text("userId,movieId,Rating,Timestamp").encode(), {}),
    "own.csv": (
        csv_text("kunde,artikel,note,wann").encode(),
        {"columns": parse_columns("user=kunde,item=artikel,rating=note,time=wann", "--columns")},
    ),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepared(tmp_path_factory.mktemp("plain") / "log.csv", PLAIN.encode())


@pytest.mark.parametrize("name", SAME)
def test_the_same_log_written_otherwise(tmp_path: Path, plain: Dataset, name: str) -> None:
    content, options = SAME[name]
    assert prepared(tmp_path / name, content, **options).hash == plain.hash


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (csv_text("user_id,item_id,rating,timestamp", ";").encode(), r"separated by ';', not"),
        (PLAIN.encode("utf-16"), r"UTF-16.*--encoding utf-16"),
        (PLAIN.replace("u1", "ü1").encode("latin-1"), r"row 7.*cp1252"),
        (csv_text("uid,iid,asin,timestamp").encode(), r"'iid' and 'asin' may each be the item_id"),
        (csv_text("who,item_id,rating,timestamp").encode(), r"no column 'user_id'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        prepared(tmp_path / "log.csv", content)


def test_what_was_used_is_told(tmp_path: Path) -> None:
    told = prepared(tmp_path / "log.csv", csv_text("uid,sku,price,shop").encode()).about["notes"]
    assert told[0] == "log.csv: user_id from 'uid', item_id from 'sku'"
    assert told[1].startswith("log.csv: not used: price, shop; without a time no split by time")


@pytest.mark.parametrize("spoil", [lambda i: f"{i}.0", lambda i: f"00{i}", str.lower])
def test_spoilt_ids_are_named(tmp_path: Path, spoil) -> None:
    items = [{"item_id": f"A{row['item_id']}"[spoil is not str.lower :]} for row in ITEMS]
    log = "user_id,item_id\n" + "".join(f"u,{spoil(row['item_id'])}\n" for row in items)
    with pytest.raises(InputError, match=r"item ids differ by .* in the log, .* and 4 more"):
        prepared(tmp_path / "log.csv", log.encode(), items)


# u0 liked, then not; u1 not, then liked; u2 without a doubt
REPEATED = "user_id,item_id,rating,timestamp\nu0,a,5,1\nu0,a,1,2\nu1,a,2,1\nu1,a,4,2\nu2,a,4,5\n"


@pytest.mark.parametrize(
    ("repeats", "users"),
    [("any", ["u0", "u1", "u2"]), ("last", ["u1", "u2"]), ("first", ["u0", "u2"])],
)
def test_repeats(tmp_path: Path, repeats, users: list[str]) -> None:
    data = prepared(tmp_path / "log.csv", REPEATED.encode(), min_rating=3, repeats=repeats)
    assert data.users.ids() == users
    rows = {**data.about["dropped"]["rows"]}
    assert sum(rows.values()) == 5 - len(users)
    if repeats == "any":
        changed = data.about["changed"]["rows"]
        assert changed["a positive pair that was also rated below 3"] == 2


def test_html_and_several_pictures(tmp_path: Path) -> None:
    items = [{"item_id": "a", "title": "Tea &amp; <b>milk</b>", "image": ["x.jpg", "y.jpg"]}]
    for keep, title in ((False, "Tea & milk"), (True, "Tea &amp; <b>milk</b>")):
        data = prepared(tmp_path / "log.csv", b"user_id,item_id\nu,a\n", items, keep_html=keep)
        assert data.catalogue is not None and data.catalogue.values("title") == [title]
        assert data.about["changed"]["images"] == {"several pictures named, the first is taken": 1}
        assert ("title: HTML taken out" in data.about["changed"].get("fields", {})) is not keep
