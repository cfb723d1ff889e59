"""Frames of three libraries against the same rows in files."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from cliper.data import Dataset, prepare_files
from cliper.errors import InputError

LOG: list[dict[str, Any]] = [
    {"user_id": f"u{u}", "item_id": 1000 + i, "rating": (u * i) % 5 + 0.5, "timestamp": 60 * u + i}
    for u in range(6)
    for i in range(5)
]
ITEMS: list[dict[str, Any]] = [
    {
        "item_id": 1000 + i,
        "title": None if i == 2 else f"thing <b>{i}</b>",
        "tags": ["a", f"t{i % 2}"],
        "price": i + 0.25,
        "new": bool(i % 2),
        "image": f"{i}.png" if i < 3 else None,
    }
    for i in range(5)
]
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.Table.from_pylist}
OPTIONS: dict[str, Any] = {"k_core": 2, "min_rating": 1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    for i in range(3):
        Image.new("RGB", (8, 8), (60 * i, 0, 0)).save(folder / f"{i}.png")
    for name, rows in (("items", ITEMS), ("log", LOG)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def filed(folder: Path) -> Dataset:
    items, log = folder / "items.jsonl", folder / "log.jsonl"
    return prepare_files(items, log, None, folder / "filed", **OPTIONS)


@pytest.mark.parametrize("library", FRAMES)
def test_the_same_dataset_as_from_files(folder: Path, filed: Dataset, library: str) -> None:
    items, log = FRAMES[library](ITEMS), FRAMES[library](LOG)
    made = Dataset.from_frames(items, log, folder / library, images=folder, **OPTIONS)
    assert made.hash == filed.hash
    assert Dataset.load(folder / library).hash == filed.hash
    for kept in ("dropped", "changed", "counts", "options", "images"):
        assert made.about[kept] == filed.about[kept]
    assert made.about["source"]["interactions"]["rows"] == len(LOG)


def test_a_filtered_frame_and_its_index(folder: Path, filed: Dataset) -> None:
    items, log = pd.DataFrame(ITEMS).set_index("item_id"), pd.DataFrame(LOG)
    log = log[log["rating"] >= 1.0]  # its index is no longer 0, 1, 2, …
    made = Dataset.from_frames(items, log, images=folder, k_core=2)
    assert made.hash == filed.hash
    assert made.path is not None  # until Python ends
    assert made.name == "frames"


def test_kinds_of_libraries_own(folder: Path, filed: Dataset) -> None:
    """Categories, big and small integers, dates with a zone, columns by other names."""
    log = pl.DataFrame(LOG).rename({"user_id": "customer", "item_id": "sku", "timestamp": "when"})
    log = log.with_columns(
        pl.col("customer").cast(pl.Categorical),
        pl.col("sku").cast(pl.Int16),
        pl.from_epoch("when", time_unit="s").dt.replace_time_zone("UTC"),
    )
    columns = {"time": "when"}
    made = Dataset.from_frames(pl.DataFrame(ITEMS), log, images=folder, columns=columns, **OPTIONS)
    assert made.hash == filed.hash


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (LOG, r"^interactions: a list is no data frame \(a DataFrame"),
        (pl.LazyFrame(LOG), r"\.collect\(\)"),
        (pd.DataFrame({"user_id": [1, "a"], "item_id": [1, 2]}), r"pandas DataFrame\): no Arrow"),
        (pl.DataFrame({"who": ["a"], "item_id": ["i"]}), r"no column 'user_id'"),
        (pa.table({"user_id": [True], "item_id": ["i"]}), r"ids of type bool"),
        (pa.table([["u"], ["v"]], names=["user_id", "user_id"]), r"'user_id' occurs twice"),
        (pa.table({"user_id": pa.array([], "string"), "item_id": []}), r"a header and no rows"),
    ],
)
def test_what_is_wrong_is_named(log: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Dataset.from_frames(None, log)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"columns": "user=user_id"}, "--columns: a mapping of roles, got str"),
        ({"min_rating": "3"}, "min_rating: the lowest rating must be a number, got '3'"),
        ({"k_core": "5"}, "k_core: k-core needs a whole k of at least 0, got '5'"),
        ({"k_core": 2.5}, r"got 2\.5"),
        ({"k_core": -1}, "got -1"),
    ],
)
def test_options_of_a_wrong_type_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Dataset.from_frames(None, pd.DataFrame(LOG), **options)
