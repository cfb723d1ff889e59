"""Folders of Hugging Face's datasets and queries against the same rows in files.

`saved/` was written by datasets 5.2.0 (`Dataset.save_to_disk`, the log in two shards, pictures as
`datasets.Image`; `parts` by `DatasetDict.save_to_disk`), of the rows below.
"""

import datetime
import io
import json
import shutil
import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cliper.data import Dataset, prepare_files, prepare_sql
from cliper.errors import InputError
from generated.postgres import postgres

SAVED = Path(__file__).parent / "saved"
LOG: list[dict[str, Any]] = [
    {
        "user_id": f"u{u}",
        "item_id": str(1000 + i),
        "rating": (u * i) % 5 + 0.5,
        "timestamp": 60 * u + i,
    }
    for u in range(6)
    for i in range(5)
]
ITEMS: list[dict[str, Any]] = [
    {
        "item_id": str(1000 + i),
        "title": f"thing {i}",
        "tags": ["a", f"t{i % 2}"],
        "image": f"{i}.png",
    }
    for i in range(5)
]
OPTIONS: dict[str, Any] = {"k_core": 2, "min_rating": 1.0}


def png(i: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (40 * i, 0, 0)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for i in range(4):
        (folder / f"{i}.png").write_bytes(png(i))
    for name, rows in (("items", ITEMS), ("log", LOG)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def pictures(dataset: Dataset) -> list[bytes | None]:
    assert dataset.catalogue is not None
    found = [None if p is None else Image.open(p) for p in dataset.catalogue.image_paths()]
    return [None if one is None else one.convert("RGB").tobytes() for one in found]


@pytest.fixture(scope="module")
def filed(folder: Path) -> Dataset:
    items, log = folder / "items.jsonl", folder / "log.jsonl"
    return prepare_files(items, log, None, folder / "filed", **OPTIONS)


def test_folders_of_datasets(tmp_path: Path, filed: Dataset) -> None:
    made = prepare_files(SAVED / "items", SAVED / "log", None, tmp_path / "ds", **OPTIONS)
    assert pictures(made) == pictures(filed)
    assert made.catalogue is not None
    assert filed.catalogue is not None
    assert made.catalogue.table.equals(filed.catalogue.table)
    assert made.interactions.timestamp is not None
    assert made.interactions.timestamp.tolist() == filed.interactions.timestamp.tolist()  # type: ignore[union-attr]
    source = made.about["source"]
    assert set(source) == {"items", "interactions", "interactions 2"}
    assert all(len(one["sha256"]) == 64 for one in source.values())
    assert [path.name for path in tmp_path.iterdir()] == ["ds"]  # nothing is left of the pictures


def test_a_folder_and_a_file_make_the_same_log(tmp_path: Path, filed: Dataset) -> None:
    made = prepare_files(None, SAVED / "log", None, tmp_path / "a", **OPTIONS)
    plain = prepare_files(None, SAVED.parent / "saved" / "log", None, tmp_path / "b", **OPTIONS)
    pq.write_table(pa.Table.from_pylist(LOG), tmp_path / "log.parquet")
    parquet = prepare_files(None, tmp_path / "log.parquet", None, tmp_path / "c", **OPTIONS)
    assert made.hash == plain.hash == parquet.hash


def spoiled(tmp_path: Path, what: str) -> Path:
    folder = tmp_path / "log"
    shutil.copytree(SAVED / "log", folder)
    state = json.loads((folder / "state.json").read_text())
    shard = folder / "data-00001-of-00002.arrow"
    if what == "cut":
        shard.write_bytes(shard.read_bytes()[:700])
    elif what == "gone":
        shard.unlink()
    elif what == "outside":
        state["_data_files"][1]["filename"] = "../secret.arrow"
    elif what == "picked":
        state["_indices_files"] = [{"filename": "indices.arrow"}]
    elif what == "no folder":
        (folder / "state.json").unlink()
    if what != "no folder":
        (folder / "state.json").write_text(json.dumps(state))
    return folder


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("cut", "damaged or unreadable"),
        ("gone", r'no file "data-00001-of-00002.arrow"'),
        ("outside", r'no file "../secret.arrow"'),
        ("picked", r"flatten_indices"),
        ("no folder", r"nor a folder that save_to_disk"),
    ],
)
def test_a_spoiled_folder_is_named(tmp_path: Path, what: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        prepare_files(None, spoiled(tmp_path, what), None, tmp_path / "ds")


def test_several_splits_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"several splits: train, test \(name one: .*parts/train"):
        prepare_files(None, SAVED / "parts", None, tmp_path / "ds")


def at(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()


@pytest.fixture(scope="module")
def sql() -> ModuleType:
    return pytest.importorskip("sqlalchemy")


@pytest.fixture(scope="module")
def shop(folder: Path, sql: ModuleType) -> str:
    connection = sqlite3.connect(folder / "shop.db")
    with connection:
        connection.execute("CREATE TABLE products (sku INTEGER, title TEXT, photo BLOB, file TEXT)")
        connection.execute(
            "CREATE TABLE orders (customer TEXT, sku INTEGER, stars NUMERIC, at TEXT)"
        )
        connection.executemany(
            "INSERT INTO products VALUES (?, ?, ?, ?)",
            [(1000 + i, f"thing {i}", png(i) if i < 4 else None, f"{i}.png") for i in range(5)],
        )
        orders = [(r["user_id"], int(r["item_id"]), r["rating"], at(r["timestamp"])) for r in LOG]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", orders)
    connection.close()
    return f"sqlite:///{folder / 'shop.db'}"


ORDERS = "SELECT customer, sku, stars, at AS ordered_at FROM orders"


def test_queries(tmp_path: Path, folder: Path, shop: str) -> None:
    items = (
        "SELECT sku, title, file AS image FROM products WHERE title LIKE 'thing %' AND ':x' = ':x'"
    )
    made = prepare_sql(shop, items, ORDERS, tmp_path / "ds", images=folder, **OPTIONS)
    rows = [{key: row[key] for key in ("item_id", "title", "image")} for row in ITEMS]
    (folder / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    filed = prepare_files(
        folder / "few.jsonl", folder / "log.jsonl", None, tmp_path / "filed", **OPTIONS
    )
    assert made.hash == filed.hash
    assert made.about["dropped"] == filed.about["dropped"]
    assert made.about["source"]["interactions"] == {
        "database": "sqlite", "name": "shop.db", "query": ORDERS,
    }  # fmt: skip


def test_pictures_in_the_database(tmp_path: Path, filed: Dataset, shop: str) -> None:
    made = prepare_sql(shop, "SELECT sku, title, photo FROM products", ORDERS, tmp_path / "ds",
                       item_columns={"image": "photo"}, **OPTIONS)  # fmt: skip
    assert pictures(made) == pictures(filed)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT * FROM baskets", r"query of interactions: the database says: no such table"),
        ("DELETE FROM orders", r"the database says: attempt to write a readonly database"),
        ("SELECT customer, sku, sku FROM orders", r"'sku' occurs twice"),
        ("SELECT sku FROM orders", r"no column 'user_id'"),
        ("SELECT customer, sku FROM orders WHERE 0", r"a header and no rows"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(
    tmp_path: Path, shop: str, query: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        prepare_sql(shop, None, query, tmp_path / "ds")
    assert not (tmp_path / "ds").exists()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("sqlite:///nowhere.db", r"nowhere.db: no such file"),
        ("shop.db", r"not a database's address"),
        ("oracel://x/y", r"no kind of database 'oracel'"),
        ("mysql+pymysql://x/y", r"the driver pymysql is not installed"),
    ],
)
@pytest.mark.usefixtures("sql")
def test_an_address_that_leads_nowhere(tmp_path: Path, address: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        prepare_sql(address, None, "SELECT 1", tmp_path / "ds")


def test_a_shop_in_postgresql(tmp_path: Path, filed: Dataset, sql: ModuleType) -> None:
    """Its own kinds of columns: arrays, numerics, times with a zone, bytes."""
    create_engine, text = sql.create_engine, sql.text
    with postgres() as address:
        engine = create_engine(address)
        with engine.begin() as connection:
            for table in (
                "products (sku INTEGER, title TEXT, tags TEXT[], photo BYTEA)",
                "orders (customer TEXT, sku INTEGER, stars NUMERIC(3, 1), at TIMESTAMPTZ)",
            ):
                connection.execute(text(f"CREATE TABLE {table}"))
            rows = [
                {"sku": 1000 + i, "title": f"thing {i}", "tags": ["a", f"t{i % 2}"],
                 "photo": png(i) if i < 4 else None}
                for i in range(5)
            ]  # fmt: skip
            connection.execute(
                text("INSERT INTO products VALUES (:sku, :title, :tags, :photo)"), rows
            )
            orders = [
                {**row, "sku": int(row["item_id"]), "at": at(row["timestamp"])} for row in LOG
            ]
            connection.execute(
                text("INSERT INTO orders VALUES (:user_id, :sku, :rating, :at)"), orders
            )
        made = prepare_sql(address, "SELECT * FROM products", ORDERS, tmp_path / "ds",
                           item_columns={"image": "photo"}, **OPTIONS)  # fmt: skip
        with pytest.raises(InputError, match=r"the database says: "):
            prepare_sql(address, None, "DELETE FROM orders RETURNING *", tmp_path / "gone")
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM orders")).scalar() == len(LOG)
        engine.dispose()
    assert made.hash == filed.hash
    assert pictures(made) == pictures(filed)
    assert made.about["source"]["interactions"]["database"] == "postgresql"
