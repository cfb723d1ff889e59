"""MicroLens' files, generated in their layout."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cliper.data import Dataset, prepare_microlens
from cliper.errors import InputError
from generated.sources import MicroLensTruth, write_microlens


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "MicroLens-100k-Dataset"


@pytest.fixture
def truth(folder: Path) -> MicroLensTruth:
    return write_microlens(folder, n_videos=150, n_users=80, n_pairs=1_500, seed=5)


def prepare(folder: Path, **options: Any) -> Dataset:
    return prepare_microlens(folder, folder.parent / "out", **{"k_core": 0, **options})


def triples(dataset: Dataset) -> set[tuple[str, str, int]]:
    log = dataset.interactions
    assert log.timestamp is not None
    users, items = dataset.users.ids(log.user_index), dataset.items.ids(log.item_index)
    return set(zip(users, items, log.timestamp.tolist(), strict=True))


def test_every_pair_title_and_category(folder: Path, truth: MicroLensTruth) -> None:
    dataset = prepare(folder, keep_unbought=True)
    catalogue = dataset.catalogue
    assert triples(dataset) == set(truth.pairs)
    assert dataset.interactions.rating is None
    assert catalogue is not None
    assert set(dataset.items.ids()) == set(truth.categories)
    ids = dataset.items.ids()
    assert dict(zip(ids, catalogue.values("title"), strict=True)) == {
        video: truth.titles.get(video) or None for video in ids
    }
    assert dict(zip(ids, catalogue.values("categories"), strict=True)) == {
        video: [category] for video, category in truth.categories.items()
    }
    assert set(dataset.about["source"]) == {"items", "categories", "interactions"}
    assert dataset.about["options"]["size"] == "100k"
    assert dataset.about["read"]["rows"] == len(truth.pairs)


def test_videos_without_a_line_stay(folder: Path, truth: MicroLensTruth) -> None:
    (folder / "tags_to_summary.csv").unlink()
    dataset = prepare(folder)
    catalogue = dataset.catalogue
    assert triples(dataset) == set(truth.pairs)
    assert catalogue is not None
    unlisted = {video for _, video, _ in truth.pairs} - set(truth.titles)
    assert unlisted
    assert dataset.about["changed"]["items"] == {
        "not in the catalogue, kept without fields": len(unlisted)
    }
    titles = dict(zip(dataset.items.ids(), catalogue.values("title"), strict=True))
    assert all(titles[video] is None for video in unlisted)
    assert catalogue.fields == ("title",)


def test_histories_have_the_same_pairs_in_the_same_order(
    folder: Path, truth: MicroLensTruth
) -> None:
    by_time = prepare(folder)
    (folder / "MicroLens-100k_pairs.csv").unlink()
    by_place = prepare(folder)
    assert {(u, i) for u, i, _ in triples(by_place)} == {(u, i) for u, i, _ in truth.pairs}
    for dataset in (by_time, by_place):  # rows are sorted by user and time
        log = dataset.interactions
        order = list(zip(log.user_index.tolist(), log.item_index.tolist(), strict=True))
        assert order == list(
            zip(
                by_time.interactions.user_index.tolist(),
                by_time.interactions.item_index.tolist(),
                strict=True,
            )
        )
    first = by_place.interactions
    assert first.timestamp is not None
    assert first.timestamp[first.user_index == 0].tolist() == list(range(first.user_counts()[0]))


def test_covers_beside_the_files_or_elsewhere(
    folder: Path, truth: MicroLensTruth, tmp_path: Path
) -> None:
    covers = folder / "MicroLens-100k_covers"
    covers.mkdir()
    video = truth.pairs[0][1]
    Image.new("RGB", (8, 8), "red").save(covers / f"{video}.jpg")
    dataset = prepare(folder)
    assert dataset.catalogue is not None
    found = [
        v for v, path in zip(dataset.items.ids(), dataset.catalogue.images, strict=True) if path
    ]
    assert found == [video]
    covers.rename(tmp_path / "elsewhere")
    assert prepare(folder).about["images"] == 0
    assert prepare(folder, images=tmp_path / "elsewhere").about["images"] == 1
    with pytest.raises(InputError, match="no such folder"):
        prepare(folder, images=tmp_path / "nowhere")


def test_other_spellings_of_the_header(folder: Path, truth: MicroLensTruth) -> None:
    path = folder / "MicroLens-100k_pairs.csv"
    text = path.read_text()
    path.write_text(text.replace("user,item,timestamp", "userID,videoID,timestamp"))
    assert triples(prepare(folder)) == set(truth.pairs)
    path.write_text(text.replace("user,item,timestamp", "who,what,when"))
    with pytest.raises(InputError, match="no column for 'user_id'"):
        prepare(folder)


def test_broken_lines_are_counted(folder: Path, truth: MicroLensTruth) -> None:
    with (folder / "MicroLens-100k_pairs.csv").open("a") as stream:
        stream.write("1,2\n,3,4\n")
    with (folder / "MicroLens-100k_title_en.csv").open("a") as stream:
        stream.write("nothing\n1,a second title\n")
    with (folder / "tags_to_summary.csv").open("a") as stream:
        stream.write("nothing\n")
    about = prepare(folder, keep_unbought=True).about
    assert about["dropped"]["rows"] == {"not 3 values": 1, "no user_id": 1}
    assert about["dropped"]["items"]["not an id and a text"] == 1
    assert about["dropped"]["fields"] == {"not an id and a text": 1}
    assert about["read"]["rows"] == len(truth.pairs) + 2
    kept = about["counts"]["items"]
    assert about["read"]["items"] == kept + sum(about["dropped"]["items"].values())


def test_what_is_missing_is_named(folder: Path, truth: MicroLensTruth) -> None:
    (folder / "MicroLens-50k_pairs.csv").write_text("user,item,timestamp\n")
    with pytest.raises(InputError, match=r"pairs of several sizes: MicroLens-100k_pairs\.csv, Mic"):
        prepare(folder)
    (folder / "MicroLens-50k_pairs.csv").unlink()
    (folder / "MicroLens-100k_title_en.csv").unlink()
    with pytest.raises(InputError, match=r"no titles of MicroLens-100k \(MicroLens-100k_title_en"):
        prepare(folder)
    with pytest.raises(InputError, match="no such folder"):
        prepare(folder / "nowhere")
    with pytest.raises(InputError, match="no pairs"):
        prepare(folder.parent)
