"""The presets: the paper's counts, told when they agree and when they do not."""

import csv
import gzip
from pathlib import Path

import pytest

from cliper.data import Dataset, prepare_amazon
from cliper.data.sources.amazon import table_1
from generated.sources import write_amazon


def prepare(folder: Path, year: int = 2014, category: str = "Baby", **options: int) -> Dataset:
    return prepare_amazon(year, category, folder, folder / "out", **options)  # type: ignore[arg-type]


def test_the_papers_counts() -> None:
    """Table 1 of arXiv 2407.05420."""
    assert {name: counts for name, *counts in table_1.TABLE_1.values()} == {
        "Amazon-Baby": [19_445, 7_050, 160_792],
        "Amazon-Sports": [35_598, 18_357, 296_337],
        "Amazon-Clothing": [39_387, 23_033, 278_677],
    }


def test_a_difference_is_noted_and_no_reason_to_stop(tmp_path: Path) -> None:
    write_amazon(tmp_path, 2014, "Baby", n_items=40, n_users=30, n_rows=600, odd=0.0)
    dataset = prepare(tmp_path)
    users, items, rows = len(dataset.users), len(dataset.items), len(dataset.interactions)
    found = dataset.about["table_1"]
    assert not found["agrees"]
    assert found["found"] == {"users": users, "items": items, "interactions": rows}
    assert dataset.about["notes"] == [
        "the paper's Table 1 says for Amazon-Baby: 19,445 users, 7,050 items, 160,792 "
        f"interactions; here it is {users:,} users ({users - 19_445:+,}), {items:,} items "
        f"({items - 7_050:+,}), {rows:,} interactions ({rows - 160_792:+,})"
    ]
    other = prepare(tmp_path, k_core=2).about["notes"][0]
    assert other.endswith("; the table is of the 5-core of all ratings")


def test_unbought_items_are_no_part_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_amazon(tmp_path, 2014, "Baby", n_items=60, n_users=30, n_rows=400, odd=0.0)
    counts = prepare(tmp_path).about["table_1"]["found"].values()
    monkeypatch.setattr(table_1, "TABLE_1", {"Baby": ("Amazon-Baby", *counts)})
    dataset = prepare(tmp_path, keep_unbought=True)
    assert dataset.about["table_1"]["agrees"]
    assert dataset.about["notes"][0].endswith("; so it is here")


@pytest.mark.parametrize(("year", "category"), [(2018, "Sports_and_Outdoors"), (2014, "Beauty")])
def test_other_data_sets_are_compared_with_nothing(
    tmp_path: Path, year: int, category: str
) -> None:
    write_amazon(tmp_path, year, category, n_items=40, n_users=30, n_rows=600, odd=0.0)
    assert not {"table_1", "notes"} & set(prepare(tmp_path, year, category).about)


def test_the_real_pairs_of_amazon_baby_agree(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "amazon-baby" / "interactions.csv.gz"
    if not path.is_file():
        pytest.skip(f"no interactions of Amazon-Baby at {path} (set CLIPER_DATA)")
    with gzip.open(path, "rt", newline="") as stream:
        pairs = [(row["user_id"], row["item_id"]) for row in csv.DictReader(stream)]
    truth = write_amazon(
        tmp_path, 2014, "Baby", n_items=0, n_users=0, n_rows=0, log="ratings", odd=0.01, pairs=pairs
    )
    dataset = prepare(tmp_path)
    counts = (len(dataset.users), len(dataset.items), len(dataset.interactions))
    assert counts == (19_445, 7_050, 160_792)
    assert dataset.about["table_1"]["agrees"]
    assert dataset.about["read"]["rows"] == truth.read_rows > 160_792
