import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from writers import write_rows

from cliper.data import Dataset, make_split, prepare_files, prepare_summary
from cliper.errors import InputError


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Four items, three with a picture, of which one is broken; user u2 and item d are rare."""
    rows: list[dict[str, Any]] = [
        {"item_id": "b", "title": "Jug", "image": "pictures/b.png"},
        {"item_id": "a", "title": "Mug", "image": "pictures/a.png"},
        {"item_id": "c", "title": "", "image": "pictures/c.png"},
        {"item_id": "d", "title": "Bowl", "image": None},
        {"item_id": "e", "title": "Never taken", "image": "pictures/a.png"},
    ]
    write_rows(tmp_path / "items.jsonl", rows)
    (tmp_path / "pictures").mkdir()
    for name, colour in (("a", "red"), ("b", "blue")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / "pictures" / f"{name}.png")
    (tmp_path / "pictures" / "c.png").write_bytes(b"broken")
    log = [(u, i, 5, t) for t, (u, i) in enumerate((u, i) for u in ("u1", "u0") for i in "cba")]
    log += [("u2", "a", 5, 90), ("u1", "d", 2, 91), ("u1", "x", 5, 92), ("u0", "a", 3, 1)]
    keys = ("user_id", "item_id", "rating", "timestamp")
    write_rows(tmp_path / "log.csv", [dict(zip(keys, row, strict=True)) for row in log])
    return tmp_path


def prepare(shop: Path, **options: Any) -> Dataset:
    settings = {"k_core": 2, "min_rating": 3, **options}
    return prepare_files(shop / "items.jsonl", shop / "log.csv", None, shop / "out", **settings)


def triples(dataset: Dataset) -> list[tuple[str, str, int]]:
    log = dataset.interactions
    assert log.timestamp is not None
    users, items = dataset.users.ids(log.user_index), dataset.items.ids(log.item_index)
    return list(zip(users, items, log.timestamp.tolist(), strict=True))


def test_the_whole_way(shop: Path) -> None:
    dataset = prepare(shop)
    assert dataset.users.ids() == ["u0", "u1"]
    assert dataset.items.ids() == ["a", "b", "c"]
    assert triples(dataset) == [
        ("u0", "a", 1),  # the earlier of two, though later in the file
        ("u0", "c", 3),
        ("u0", "b", 4),
        ("u1", "c", 0),
        ("u1", "b", 1),
        ("u1", "a", 2),
    ]
    assert dataset.interactions.rating is not None
    assert dataset.interactions.rating[0] == 3
    assert dataset.catalogue is not None
    assert dataset.catalogue.values("title") == ["Mug", "Jug", None]
    paths = dataset.catalogue.image_paths()
    assert paths[2] is None
    for path, name in zip(paths, "ab", strict=False):
        assert path is not None
        assert path.read_bytes() == (shop / "pictures" / f"{name}.png").read_bytes()
    assert dataset.about["dropped"] == {
        "rows": {
            "rating below 3": 1,
            "item not in the catalogue": 1,
            "the same user and item again": 1,
            "outside the 2-core": 1,
        },
        "items": {"no kept interaction": 1, "not in the log": 1},
        "images": {"not a JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF image": 1},
        "fields": {},
    }
    assert dataset.about["samples"]["items"]["not in the log"] == ["item e"]
    assert dataset.about["read"] == {"rows": 10, "items": 5}
    assert dataset.about["images"] == 2


def test_dataset_json_and_parquet_are_as_documented(shop: Path) -> None:
    dataset = prepare(shop)
    about = json.loads((shop / "out" / "dataset.json").read_text())
    assert about["counts"] == {"users": 2, "items": 3, "interactions": 6}
    assert about["hash"] == dataset.hash
    assert about["name"] == "out"
    options = {"min_rating": 3, "k_core": 2, "keep_unbought": False}
    assert about["options"] == {
        **options, "repeats": "any", "keep_html": False, "image_choice": "first",
    }  # fmt: skip
    assert about["source"]["interactions"]["file"] == "log.csv"
    assert about["source"]["items"]["bytes"] == (shop / "items.jsonl").stat().st_size
    assert str(shop) not in (shop / "out" / "dataset.json").read_text()
    log = pq.read_table(shop / "out" / "interactions.parquet")
    assert log.column_names == ["user_id", "item_id", "rating", "timestamp"]
    assert {str(log.schema.field(name).type) for name in ("user_id", "item_id")} == {"string"}
    items = pq.read_table(shop / "out" / "items.parquet")
    assert items.column_names == ["item_id", "title", "image"]


def test_unbought_items_stay_after_the_others(shop: Path) -> None:
    dataset = prepare(shop, keep_unbought=True)
    assert dataset.items.ids() == ["a", "b", "c", "e"]  # d is in the log, though rated low
    assert dataset.catalogue is not None
    assert dataset.catalogue.values("title")[-1] == "Never taken"
    assert dataset.interactions.item_counts().tolist() == [2, 2, 2, 0]
    assert dataset.about["dropped"]["items"] == {"no kept interaction": 1}


def test_the_summary_adds_up(shop: Path) -> None:
    rows = prepare_summary(prepare(shop))
    counts = {(group, what): count for group, what, count in rows}
    dropped = sum(count for group, _, count in rows if group == "dropped rows")
    assert counts["read", "interactions"] == counts["kept", "interactions"] + dropped
    lost_items = sum(count for group, _, count in rows if group == "dropped items")
    assert counts["read", "items"] == counts["kept", "items"] + lost_items
    assert counts["kept", "images"] == 2


def test_row_order_does_not_matter(shop: Path) -> None:
    first = prepare(shop)
    for name in ("items.jsonl", "log.csv"):
        header, *lines = (shop / name).read_text().splitlines()
        lines, header = ([header, *lines], "") if name == "items.jsonl" else (lines, header + "\n")
        (shop / name).write_text(header + "\n".join(reversed(lines)) + "\n")
    assert prepare(shop).hash == first.hash


def test_a_changed_picture_changes_the_hash(shop: Path) -> None:
    first = prepare(shop)
    (shop / "pictures" / "a.png").unlink()
    Image.new("RGB", (8, 8), "green").save(shop / "pictures" / "a.png")
    assert prepare(shop).hash != first.hash


def test_images_named_after_the_item(shop: Path) -> None:
    write_rows(shop / "items.jsonl", [{"item_id": item, "title": "t"} for item in "abcd"])
    assert prepare(shop).about["dropped"]["images"] == {"the item names no image": 3}
    dataset = prepare_files(
        shop / "items.jsonl",
        shop / "log.csv",
        shop / "pictures",
        shop / "out",
        min_rating=3,
        k_core=2,
    )
    assert dataset.catalogue is not None
    assert [image is not None for image in dataset.catalogue.images] == [True, True, False]


def test_addresses_are_kept_to_be_fetched_later(shop: Path) -> None:
    rows = [
        {"item_id": "a", "image": "pictures/a.png", "image_url": "http://x.org/a"},
        {"item_id": "b", "image": "pictures/missing.png", "image_url": "http://x.org/b"},
        {"item_id": "c", "image": "http://x.org/c", "image_url": None},
        {"item_id": "d", "image": None, "image_url": None},
    ]
    write_rows(shop / "items.jsonl", rows)
    dataset = prepare(shop, k_core=0, min_rating=None)
    assert dataset.catalogue is not None
    assert [name is not None for name in dataset.catalogue.images] == [True, False, False, False]
    assert dataset.catalogue.image_urls == (
        ("http://x.org/a",),
        ("http://x.org/b",),
        ("http://x.org/c",),
        (),
    )
    about = dataset.about
    assert about["dropped"]["images"] == {"no such file": 1, "the item names no image": 1}
    assert about["changed"]["images"] == {
        "named by address, to be fetched by `cliper images`": 2,
    }
    plain = pq.read_schema(shop / "out" / "items.parquet").names
    assert plain == ["item_id", "image", "image_urls"]


def test_interactions_alone(shop: Path) -> None:
    dataset = prepare_files(None, shop / "log.csv", None, shop / "alone", k_core=0, name="logs")
    assert dataset.catalogue is None
    assert dataset.name == "logs"
    assert len(dataset.interactions) == 9
    assert "x" in dataset.items.ids()


def test_an_earlier_dataset_is_replaced_and_foreign_files_stay(shop: Path) -> None:
    prepare(shop)
    (shop / "out" / "encodings").mkdir()
    (shop / "out" / "encodings" / "kept").write_text("kept")
    (shop / "out" / "images" / "stale.png").write_text("stale")
    dataset = prepare(shop, k_core=0)
    assert len(dataset.interactions) == 7
    assert (shop / "out" / "encodings" / "kept").read_text() == "kept"
    assert not (shop / "out" / "images" / "stale.png").exists()
    assert Dataset.load(shop / "out").hash == dataset.hash
    assert [path.name for path in shop.iterdir() if path.name.startswith(".")] == []


def test_something_else_is_never_replaced(shop: Path) -> None:
    (shop / "out").mkdir()
    prepare(shop)  # an empty directory is welcome
    (shop / "out" / "dataset.json").unlink()
    with pytest.raises(InputError, match="holds something that is no dataset"):
        prepare(shop)
    assert (shop / "out" / "items.parquet").exists()
    shutil.rmtree(shop / "out")
    (shop / "out").write_text("notes")
    with pytest.raises(InputError, match="this is a file"):
        prepare(shop)


@pytest.mark.parametrize(
    "failing", ["cliper.data.assemble.store_images", "pyarrow.parquet.write_table"]
)
def test_an_interrupted_prepare_leaves_what_was_there(
    shop: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(failing, interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(shop)
        assert not (shop / "out").exists()
    before = prepare(shop).hash
    with monkeypatch.context() as patch:
        patch.setattr(failing, interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(shop, k_core=0)
    assert Dataset.load(shop / "out").hash == before
    assert [path.name for path in shop.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k_core": 9}, r"left of 10 \(.*outside the 9-core: 7\) \(lower --k-core\)"),
        ({"min_rating": 6}, r"rating below 6: 10\) \(lower --min-rating\)"),
        ({"min_rating": float("nan")}, "lowest rating must be a number"),
        ({"k_core": -1}, "k of at least 0"),
    ],
)
def test_options_that_leave_nothing(shop: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prepare(shop, **options)
    assert not (shop / "out").exists()


def test_images_without_a_catalogue(shop: Path) -> None:
    with pytest.raises(InputError, match="give --items"):
        prepare_files(None, shop / "log.csv", shop, shop / "out")
    with pytest.raises(InputError, match="nowhere: no such folder"):
        prepare_files(
            shop / "items.jsonl", shop / "log.csv", shop / "nowhere", shop / "out", k_core=0
        )


ROW = st.tuples(
    st.sampled_from(["u0", "u1", "u2", "u3", ""]),
    st.sampled_from(["i0", "i1", "i2", "i9", ""]),
    st.sampled_from(["1", "3", "5", "", "nan"]),
    st.sampled_from(["0", "1", "2", "", "x"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=40), st.integers(0, 3))
def test_every_row_is_kept_or_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], k: int
) -> None:
    folder = tmp_path_factory.mktemp("p")
    keys = ("user_id", "item_id", "rating", "timestamp")
    write_rows(folder / "log.csv", [dict(zip(keys, row, strict=True)) for row in rows])
    write_rows(folder / "items.csv", [{"item_id": f"i{n}", "title": "t"} for n in range(4)])
    earliest: dict[tuple[str, str], int] = {}
    for user, item, rating, time in rows:
        good = user and item and rating in ("3", "5") and time in ("0", "1", "2") and item != "i9"
        if good:
            earliest[user, item] = min(earliest.get((user, item), 9), int(time))
    while True:
        users, items = Counter(u for u, _ in earliest), Counter(i for _, i in earliest)
        left = {p: t for p, t in earliest.items() if users[p[0]] >= k and items[p[1]] >= k}
        if left == earliest:
            break
        earliest = left
    arguments = (folder / "items.csv", folder / "log.csv", None, folder / "out")
    if not earliest:
        with pytest.raises(InputError, match="no interaction is left"):
            prepare_files(*arguments, min_rating=3, k_core=k)
        return
    dataset = prepare_files(*arguments, min_rating=3, k_core=k)
    assert sorted(triples(dataset)) == sorted((u, i, t) for (u, i), t in earliest.items())
    assert len(rows) == len(dataset.interactions) + sum(dataset.about["dropped"]["rows"].values())
    assert set(dataset.items.ids()) == {i for _, i in earliest}


def test_films(shared_data: Path, tmp_path: Path) -> None:
    films = shared_data / "movielens-100k-posters"
    dataset = prepare_files(
        films / "items.jsonl",
        films / "interactions.csv",
        None,
        tmp_path / "films",
        min_rating=4.0,
        k_core=5,
    )
    assert (len(dataset.users), len(dataset.items)) == (938, 970)
    assert (dataset.interactions.user_counts() >= 5).all()
    assert (dataset.interactions.item_counts() >= 5).all()
    assert dataset.catalogue is not None
    assert dataset.catalogue.values("director")[0] == ["John Lasseter"]
    assert dataset.about["dropped"]["images"] == {"the item names no image": 12}
    split = make_split(dataset, "cold-item", 0)
    assert split.test_candidates is not None
    assert len(split.test_candidates) == 194
    assert np.isin(split.test.item_index, split.test_candidates).all()


def test_several_pictures_an_item(shop: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"item_id": "a", "image": ["pictures/a.png", "pictures/b.png", "pictures/a.png"]},
        {"item_id": "b", "image": ["pictures/c.png", "pictures/b.png"]},  # the first is broken
        {"item_id": "c", "image": ["pictures/b.png"]},
    ]
    write_rows(shop / "items.jsonl", rows)
    first, mean = prepare(shop), prepare(shop, image_choice="mean")
    assert first.catalogue is not None
    assert mean.catalogue is not None
    a, b = (hashlib.sha256((shop / f"pictures/{n}.png").read_bytes()).hexdigest() for n in "ab")
    red, blue = (f"images/{one[:32]}.png" for one in (a, b))
    assert first.catalogue.images == (red, None, blue)
    assert first.catalogue.more_images is None
    assert mean.catalogue.images == (red, blue, blue)
    assert mean.catalogue.more_images == ((blue,), (), ())
    assert mean.catalogue.fields == first.catalogue.fields == ()
    counted = {"several pictures named, their mean is taken": 2}
    assert mean.about["changed"]["images"] == counted
    assert mean.about["options"]["image_choice"] == "mean"
    assert len({first.hash, mean.hash, prepare(shop, image_choice="mean").hash}) == 2
