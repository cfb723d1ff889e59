import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import Catalogue, Dataset, Interactions, Vocabulary
from cliper.errors import InputError, MismatchError

IDS = st.lists(st.text(st.characters(codec="utf-8")), unique=True, max_size=30)


@settings(deadline=None)
@given(IDS, st.data())
def test_ids_and_indices_are_inverse(ids: list[str], data: st.DataObject) -> None:
    vocabulary = Vocabulary(ids)
    assert vocabulary.ids() == ids
    some = data.draw(st.lists(st.sampled_from(ids))) if ids else []
    indices = vocabulary.indices(some)
    assert indices.tolist() == [ids.index(name) for name in some]
    assert vocabulary.ids(indices) == some


@settings(deadline=None)
@given(IDS, IDS)
def test_the_hash_tells_vocabularies_apart(one: list[str], other: list[str]) -> None:
    a, b = Vocabulary(one), Vocabulary(other)
    assert (a.hash == b.hash) == (one == other) == (a == b)


def test_the_hash_sees_where_an_id_ends() -> None:
    assert Vocabulary(["ab", "c"]).hash != Vocabulary(["a", "bc"]).hash
    assert Vocabulary(["a", "b"]).hash != Vocabulary(["b", "a"]).hash


def test_bad_vocabularies() -> None:
    with pytest.raises(InputError, match="'a' occurs twice"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(InputError, match="missing"):
        Vocabulary(pa.array(["a", None]))
    with pytest.raises(InputError, match="unknown user 'z'"):
        Vocabulary(["a"]).indices(["a", "z"], "user")
    assert Vocabulary(["a"]).find(["z", "a"]).tolist() == [-1, 0]


def make(path: Path | None = None, title: str = "Mug") -> Dataset:
    users, items = Vocabulary(["u", "v"]), Vocabulary(["a", "b", "c"])
    log = Interactions(
        users,
        items,
        np.array([0, 1, 1]),
        np.array([2, 0, 2]),
        np.array([1, 2.5, 3], dtype=np.float32),
        np.array([10, 20, 2**40]),
    )
    table = pa.table(
        {
            "title": pa.array([title, None, "Jug"]),
            "tags": pa.array([["x"], None, ["y", "z"]], pa.list_(pa.string())),
        }
    )
    catalogue = Catalogue(items, table, (None, "images/b.jpg", None), Path())
    given = np.array([0, 1, 2], dtype=np.int8)
    return Dataset("toy", log, catalogue, path, given, {"options": {"k_core": 5}})


def test_save_and_load(tmp_path: Path) -> None:
    dataset = make()
    loaded = dataset.save(tmp_path / "toy")
    assert loaded.hash == dataset.hash
    assert loaded.name == "toy"
    assert loaded.path == tmp_path / "toy"
    assert (loaded.users, loaded.items) == (dataset.users, dataset.items)
    for column in ("user_index", "item_index", "rating", "timestamp"):
        np.testing.assert_array_equal(
            getattr(loaded.interactions, column), getattr(dataset.interactions, column)
        )
    assert loaded.catalogue is not None
    assert loaded.catalogue.fields == ("title", "tags")
    assert loaded.catalogue.values("tags") == [["x"], None, ["y", "z"]]
    assert list(loaded.catalogue.image_paths()) == [None, tmp_path / "toy" / "images/b.jpg", None]
    assert loaded.given_split is not None
    assert loaded.given_split.tolist() == [0, 1, 2]
    assert loaded.about["options"] == {"k_core": 5}


def test_the_hash_covers_everything() -> None:
    base = make()
    log = base.interactions
    other = {
        make(title="Cup").hash,
        Dataset("toy", log, base.catalogue).hash,
        Dataset("toy", log).hash,
        Dataset("toy", log.select(np.array([True, True, False]))).hash,
        Dataset("toy", log, about={"features": {"image": {"sha256": "0"}}}).hash,
    }
    assert base.hash not in other
    assert len(other) == 5
    assert make().hash == base.hash


URLS = (("http://x.org/a1", "http://x.org/a2"), (), ("http://x.org/c",))


def with_urls(urls: tuple[tuple[str, ...], ...] | None) -> Dataset:
    dataset = make()
    assert dataset.catalogue is not None
    return replace(dataset, catalogue=replace(dataset.catalogue, image_urls=urls))


def test_addresses_survive_and_are_no_fields(tmp_path: Path) -> None:
    loaded = with_urls(URLS).save(tmp_path / "toy")
    assert loaded.hash == with_urls(URLS).hash
    assert loaded.catalogue is not None
    assert loaded.catalogue.image_urls == URLS
    assert loaded.catalogue.fields == ("title", "tags")
    column = pq.read_table(tmp_path / "toy" / "items.parquet")["image_urls"]
    assert str(column.type).startswith("list<")
    assert column.to_pylist() == [list(URLS[0]), None, list(URLS[2])]
    again = make().save(tmp_path / "plain")
    assert again.catalogue is not None
    assert again.catalogue.image_urls is None
    with pytest.raises(MismatchError):
        with_urls(URLS[:2])


def test_the_hash_covers_addresses_and_is_as_before_without() -> None:
    # What the first version gave, which had no addresses: encodings and runs name it.
    assert make().hash == "921b9d43388d26c9163b8653bc1f63483187309b0440c09cbb94194c2ec8fcf7"
    others = {with_urls(URLS).hash, with_urls(((), (), ())).hash, with_urls(URLS[::-1]).hash}
    assert len(others | {make().hash}) == 4


@pytest.mark.parametrize("file", ["users.parquet", "items.parquet", "interactions.parquet"])
def test_damaged_datasets_are_refused(tmp_path: Path, file: str) -> None:
    make().save(tmp_path / "toy")
    good = (tmp_path / "toy" / file).read_bytes()
    (tmp_path / "toy" / file).write_bytes(good[:-20])
    with pytest.raises(InputError, match=f"{file}: damaged or replaced"):
        Dataset.load(tmp_path / "toy")
    (tmp_path / "toy" / "SHA256SUMS").unlink()  # as in earlier versions
    with pytest.raises(InputError, match=f"{file}: damaged or unreadable"):
        Dataset.load(tmp_path / "toy")
    pq.write_table(pa.table({"x": [1]}), tmp_path / "toy" / file)
    with pytest.raises(InputError, match=f"{file}: no column"):
        Dataset.load(tmp_path / "toy")
    (tmp_path / "toy" / file).unlink()
    with pytest.raises(InputError, match=f"{file}: a part of the dataset is missing"):
        Dataset.load(tmp_path / "toy")


def test_parts_of_two_datasets_do_not_fit(tmp_path: Path) -> None:
    make().save(tmp_path / "toy")
    log = Interactions(Vocabulary(["u"]), Vocabulary(["zz"]), np.array([0]), np.array([0]))
    Dataset("other", log).save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "interactions.parquet", tmp_path / "toy")
    with pytest.raises(InputError, match="damaged or replaced"):
        Dataset.load(tmp_path / "toy")
    (tmp_path / "toy" / "SHA256SUMS").unlink()  # as in earlier versions
    with pytest.raises(InputError, match="does not list"):
        Dataset.load(tmp_path / "toy")


def test_what_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a dataset directory"):
        Dataset.load(tmp_path)
    for content in ("{", "[]", json.dumps({"schema": 99})):
        (tmp_path / "dataset.json").write_text(content)
        with pytest.raises(InputError, match=r"dataset\.json: .*(not valid JSON|schema)"):
            Dataset.load(tmp_path)


def test_interactions() -> None:
    log = make().interactions
    assert log.matrix().toarray().tolist() == [[0, 0, 1], [1, 0, 1]]
    assert log.user_counts().tolist() == [1, 2]
    assert log.item_counts().tolist() == [1, 0, 2]
    assert log.select(np.array([2])).timestamp == [2**40]
    with pytest.raises(MismatchError):
        Interactions(log.users, log.items, log.user_index, log.item_index[:1])


def test_an_unknown_field_names_the_known() -> None:
    catalogue = make().catalogue
    assert catalogue is not None
    with pytest.raises(InputError, match=r"no field 'brand'.*title, tags"):
        catalogue.values("brand")
