"""Logs and catalogues in every format, published layouts, folders, databases, features."""

import gzip
import io
import json
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cliper.data.images import find_images
from cliper.data.ledger import Ledger
from cliper.data.mmrec import prepare_mmrec
from cliper.data.readers.columns import named_items, named_log
from cliper.data.readers.features import copy_features
from cliper.data.readers.formats import Format
from cliper.data.readers.interactions import read_interactions
from cliper.data.readers.items import read_items
from cliper.data.readers.saved import saved_table
from cliper.data.readers.sql import database
from cliper.data.readers.tables import Table, file_table
from cliper.data.sources.amazon.items import amazon_items
from cliper.data.sources.amazon.logs import amazon_log
from cliper.data.sources.amazon.releases import release as release_of
from cliper.data.sources.delimited import delimited_log
from cliper.data.sources.microlens import histories, videos
from cliper.data.sources.movielens import prepare_movielens
from generated.fuzz.reader import Read, Reader, reader

LOG = [
    ("u1", "i1", "4.5", "881250949"),
    ("u2", "i2", "3", "2020-01-02T03:04:05.25+01:00"),
    ("José", "i1", "", "1600000000000"),
    ("u1", "i2", "5", "0"),
    ("nan", "i3", "1e0", "1.5"),
]
ITEMS: list[dict[str, Any]] = [
    {
        "item_id": "i1",
        "title": "A <b>red</b> shoe &amp; sock",
        "brand": "Café",
        "price": "9.50",
        "image": "a/1.jpg",
        "categories": "shoes",
    },
    {
        "item_id": "i2",
        "title": 'She said "no", twice',
        "brand": "",
        "price": "12",
        "image": "http://h/2.jpg",
        "categories": "socks|hats",
    },
    {
        "item_id": "i3",
        "title": "line one\nline two",
        "brand": "N/A",
        "price": "x",
        "image": "",
        "categories": "[]",
    },
]
LISTS: list[dict[str, Any]] = [
    {
        "item_id": 1,
        "title": ["a", None, "b"],
        "price": 9.5,
        "image": ["1.jpg", "2.jpg"],
        "image_urls": ["http://h/1.jpg"],
        "details": {"Brand": "x"},
    },
    {"item_id": 2.0, "title": "t", "price": None, "image": {"path": "x"}, "stock": True},
]
NAMES = ("user_id", "item_id", "rating", "timestamp")
MANY = Format(delimiter=";", decimal=",")


def table_readers() -> list[Reader]:
    """Of tables by their owner's columns."""
    return [
        reader("log", log_files(), _log()),
        reader("log-semicolons", {"log.csv": _csv(LOG, ";").replace(b".", b",")}, _log(MANY)),
        reader(
            "log-utf-16",
            {"log.csv": _csv(LOG).decode().encode("utf-16")},
            _log(Format(encoding="utf-16")),
        ),
        reader(
            "log-cp1252",
            {"log.csv": _csv(LOG).decode().encode("cp1252")},
            _log(Format(encoding="cp1252")),
        ),
        reader("catalogue", item_files(), _items(keep_html=False)),
        reader("catalogue-mean", item_files(), _items(keep_html=True, image_choice="mean")),
        reader(
            "saved-folder",
            saved_files(),
            lambda path: _read_items(saved_table(path.parent, "items")),
        ),
        reader("sqlite", {"shop.db": sqlite_file()}, _database),
        reader("features", feature_files(), _features),
    ]


def layout_readers() -> list[Reader]:
    """Of published layouts."""
    hundred = {
        "u.data": b"".join(
            b"%d\t%d\t%d\t88125%d\n" % (u, i, i % 5 + 1, u) for u in (1, 2) for i in (1, 2, 3)
        ),
        "u.item": b"".join(
            b"%d|Film %d, The (199%d)|01-Jan-199%d||http://x|" % (i, i, i, i)
            + b"|".join([b"0", b"1"] + [b"0"] * 17)
            + b"\n"
            for i in (1, 2, 3)
        ),
        "u.genre": b"unknown|0\nAction|1\n" + b"".join(b"G%d|%d\n" % (g, g) for g in range(2, 19)),
    }
    million = {
        "ratings.dat": b"1::1::5::978300760\n1::2::3::978302109\n2::1::4::978301968\n",
        "movies.dat": "1::Café (1995)::Drama|War\n2::unknown::Comedy\n".encode("latin-1"),
    }
    mmrec = {
        "baby.inter": b"userID\titemID\trating\ttimestamp\tx_label\n"
        b"0\t0\t5.0\t1\t0\n0\t1\t4\t2\t1\n1\t1\t3\t3\t2\n",
        "image_feat.npy": _npy(np.ones((2, 3), np.float32)),
        "text_feat.npy": _npy(np.ones((2, 2, 3), np.float64)),
    }
    return [
        reader("movielens-100k", hundred, _prepared(prepare_movielens, k_core=0), share=0.1),
        reader("movielens-1m", million, _prepared(prepare_movielens, k_core=0), share=0.1),
        reader("mmrec", mmrec, _prepared(prepare_mmrec), share=0.2),
        reader(
            "microlens",
            {
                "pairs.tsv": b"u1\ti1 i2 i3\nu2\ti2\n",
                "titles.csv": b'item,title\ni1,"A, title"\ni2,plain, with commas\n',
                "tags.csv": b"i1,Music\ni3,Games\n",
            },
            _microlens,
        ),
        reader("amazon", amazon_files(), _amazon),
        reader(
            "delimited",
            {"ratings.csv": b"A1,B1,5.0,1369699200\nA2,B2,3.0,1369699201\n"},
            lambda path: _drained(delimited_log(path, ",", NAMES, Ledger())),
        ),
        reader(
            "image-folder",
            {"a.jpg": b"x"},
            lambda path: find_images([path.read_bytes().decode("utf-8", "replace")], path.parent),
        ),
    ]


def _log(form: Format | None = None) -> Read:
    def read(path: Path) -> object:
        chosen = form or Format()
        named = named_log(file_table(path, chosen, "interactions"), {}, chosen.decimal)
        return read_interactions(named.rows, Ledger(), 2.0, "last").n_read

    return read


def _items(**options: Any) -> Read:
    return lambda path: _read_items(file_table(path, Format(), "items"), **options)


def _read_items(table: Table, **options: Any) -> int:
    return read_items(named_items(table, {}).rows, Ledger(), **options).n_read


def _database(path: Path) -> object:
    with database(f"sqlite:///{path}") as opened:
        _read_items(opened.table("SELECT * FROM things", "items"))
        log = named_log(opened.table("SELECT * FROM log", "interactions"), {})
        return read_interactions(log.rows, Ledger()).n_read


def _features(path: Path) -> object:
    with tempfile.TemporaryDirectory(dir=path.parent.parent) as folder:
        return copy_features(path, Path(folder) / "out.npy", three=True)


def _prepared(prepare: Callable[..., Any], **options: Any) -> Read:
    def read(path: Path) -> object:
        with tempfile.TemporaryDirectory(dir=path.parent.parent) as folder:
            return prepare(path.parent, Path(folder) / "out", **options).hash

    return read


def _drained(rows: Any) -> int:
    return read_interactions(rows, Ledger()).n_read


def _microlens(path: Path) -> object:
    folder, ledger = path.parent, Ledger()
    if path.suffix == ".tsv":
        return _drained(histories(path, ledger))
    return read_items(videos(folder / "titles.csv", folder / "tags.csv", ledger), ledger).n_read


def _amazon(path: Path) -> object:
    what, _, year = path.name.partition(".")[0].partition("-")
    release, ledger = release_of(int(year)), Ledger()
    if what == "meta":
        return read_items(amazon_items(path, release, ledger), ledger).n_read
    return read_interactions(amazon_log(path, release, ledger), ledger).n_read


def _csv(rows: Sequence[Sequence[str]], sign: str = ",", names: Sequence[str] = NAMES) -> bytes:
    return "".join(sign.join(row) + "\n" for row in (names, *rows)).encode()


def _quoted(items: Sequence[dict[str, Any]]) -> bytes:
    def cell(value: Any) -> str:
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if set(text) & set('",\n') else text

    rows = [list(items[0]), *(list(item.values()) for item in items)]
    return "".join(",".join(map(cell, row)) + "\r\n" for row in rows).encode()


def _lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _parquet(table: pa.Table, **options: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream, **options)
    return stream.getvalue()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _zip(name: str, data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return stream.getvalue()


def log_files() -> dict[str, bytes]:
    """A log in every format."""
    rows = [dict(zip(NAMES, row, strict=True)) for row in LOG]
    typed = pa.table(
        {
            "user": [1, 2, 3],
            "item": pa.array(["a", "b", None]).dictionary_encode(),
            "rating": [4.5, None, float("nan")],
            "time": pa.array([1, 2, None], pa.timestamp("us", "UTC")),
        }
    )
    plain, lines = _csv(LOG), _lines(rows)
    recbole = _csv(LOG, "\t", ("user_id:token", "item_id:token", "rating:float", "timestamp:float"))
    return {
        "log.csv": plain,
        "log.tsv": _csv(LOG, "\t"),
        "log.inter": recbole,
        "log.jsonl": lines,
        "log.json": json.dumps(rows, ensure_ascii=False).encode(),
        "log.parquet": _parquet(typed),
        "texts.parquet": _parquet(pa.Table.from_pylist(rows), compression="zstd"),
        "log.csv.gz": gzip.compress(plain, mtime=0),
        "log.csv.zip": _zip("log.csv", plain),
        "log.jsonl.zst": pa.compress(lines, "zstd", asbytes=True),
    }


def item_files() -> dict[str, bytes]:
    """A catalogue in every format."""
    pictures = pa.table(
        {
            "id": ["a", "b"],
            "image": [{"bytes": b"x", "path": "x.jpg"}, None],
            "title": [["x", None], None],
        }
    )
    plain = _quoted(ITEMS)
    return {
        "items.csv": plain,
        "items.jsonl": _lines(ITEMS),
        "lists.jsonl": _lines(LISTS),
        "items.json": json.dumps(ITEMS).encode(),
        "lists.json": json.dumps(LISTS).encode(),
        "items.parquet": _parquet(pa.Table.from_pylist(ITEMS)),
        "pictures.parquet": _parquet(pictures),
        "items.csv.gz": gzip.compress(plain, mtime=0),
        "items.csv.zst": pa.compress(plain, "zstd", asbytes=True),
        "items.jsonl.zip": _zip("items.jsonl", _lines(ITEMS)),
    }


def saved_files() -> dict[str, bytes]:
    """What `save_to_disk` writes: an Arrow stream and its state."""
    table, stream = pa.Table.from_pylist(ITEMS), io.BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    state = {
        "_data_files": [{"filename": "data-00000-of-00001.arrow"}],
        "_fingerprint": "0",
        "_indices_files": None,
        "_split": None,
    }
    return {
        "state.json": json.dumps(state).encode(),
        "data-00000-of-00001.arrow": stream.getvalue(),
    }


def sqlite_file() -> bytes:
    """A catalogue and a log in a database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE things (item_id TEXT, title TEXT, price REAL, image BLOB)")
        connection.execute("CREATE TABLE log (user_id INT, item_id TEXT, rating, timestamp INT)")
        for item in ITEMS:
            row = (item["item_id"], item["title"], 9.5, b"\x89PNG")
            connection.execute("INSERT INTO things VALUES (?, ?, ?, ?)", row)
        connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", LOG)
        connection.commit()
        connection.close()
        return path.read_bytes()


def feature_files() -> dict[str, bytes]:
    """Matrices of numbers."""
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    return {"two.npy": _npy(rows), "three.npy": _npy(rows[None].astype(np.float16))}


def amazon_files() -> dict[str, bytes]:
    """A record or two of each release."""
    return {
        "meta-2014.json": b"{'asin': 'B1', 'title': \"Baby's first\", 'price': 9.5, 'brand': 'x', "
        b"'categories': [['Baby', 'Toys']], 'imUrl': 'http://h/1.jpg'}\n"
        b'{"asin": "B2", "title": "t", "description": "a &amp; b"}\n',
        "meta-2018.json": b'{"asin": "B1", "title": "t", "brand": "b", "category": ["a", "a"], '
        b'"feature": ["f"], "price": "$1,299.00 - $2", "imageURLHighRes": ["http://h/1.jpg"]}\n',
        "meta-2023.jsonl": b'{"parent_asin": "B1", "title": "t", "store": "s", '
        b'"categories": ["a"], "details": "{\\"Brand\\": \\"x\\"}", "price": 3.5, '
        b'"features": ["f"], '
        b'"images": [{"hi_res": null, "large": "http://h/1.jpg", "variant": "MAIN"}]}\n',
        "log-2014.json": b'{"reviewerID": "A1", "asin": "B1", "overall": 5.0, '
        b'"unixReviewTime": 1}\n',
        "log-2018.csv": b"B1,A1,5.0,1369699200\nB2,A2,3.0,1369699201\n",
        "log-2023.csv": b"user_id,parent_asin,rating,timestamp\nA1,B1,5.0,1369699200000\n",
        "log-2023.jsonl": b'{"user_id": "A1", "parent_asin": "B1", "asin": "B0", "rating": 4.0, '
        b'"timestamp": 1588687728923}\n',
    }
