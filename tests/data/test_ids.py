"""One id is one id however Unicode spells it, and a word for a missing value is none."""

import csv
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from writers import FORMATS, write_rows

from cliper.data import Vocabulary, prepare_files
from cliper.data.readers.values import NO_ID


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


JOSE, CAFE = nfc("José"), nfc("café")


@pytest.mark.parametrize("ending", FORMATS)
def test_two_spellings_are_one_user_and_one_item(ending: str, tmp_path: Path) -> None:
    rows = [
        {"user_id": (nfc if k % 2 else nfd)(JOSE), "item_id": f"i{k}", "timestamp": str(k)}
        for k in range(8)
    ]
    rows += [
        {"user_id": "u", "item_id": nfd(CAFE), "timestamp": "1"},
        {"user_id": "v", "item_id": nfc(CAFE), "timestamp": "1"},
        {"user_id": "v", "item_id": nfd(CAFE), "timestamp": "2"},
    ]
    log = write_rows(tmp_path / f"log.{ending}", rows)
    dataset = prepare_files(None, log, None, tmp_path / "d", k_core=0)
    assert dataset.users.ids() == [JOSE, "u", "v"]
    assert dataset.items.ids() == [CAFE, *(f"i{k}" for k in range(8))]
    assert dataset.about["changed"] == {
        "rows": {
            "user_id written in Unicode's composed form (NFC)": 4,
            "item_id written in Unicode's composed form (NFC)": 2,
        },
        "users": {"user_id in several Unicode spellings, made one": 1},
        "items": {"item_id in several Unicode spellings, made one": 1},
    }
    assert dataset.about["dropped"]["rows"] == {"the same user and item again": 1}
    assert dataset.users.indices([nfd(JOSE), JOSE, "u"]).tolist() == [0, 0, 1]
    assert dataset.items.find([nfd(CAFE), "nobody"]).tolist() == [0, -1]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_word_for_a_missing_value_is_no_id(ending: str, tmp_path: Path) -> None:
    words = [*NO_ID, " None "]
    rows = [{"user_id": word, "item_id": "i0"} for word in words]
    rows += [{"user_id": "u", "item_id": word} for word in words]
    rows += [{"user_id": "Nan", "item_id": "nil"}, {"user_id": "nobody", "item_id": "nanna"}]
    log = write_rows(tmp_path / f"log.{ending}", rows)
    dataset = prepare_files(None, log, None, tmp_path / "d", k_core=0)
    assert (dataset.users.ids(), dataset.items.ids()) == (["Nan", "nobody"], ["nanna", "nil"])
    assert dataset.about["dropped"]["rows"] == {
        "user_id is a word for a missing value": len(words),
        "item_id is a word for a missing value": len(words),
    }


def test_spellings_of_a_catalogue_meet_those_of_the_log_and_of_pictures(tmp_path: Path) -> None:
    ids = [f"café{k}" for k in range(4)] + [f"plain{k}" for k in range(4)]
    pictures = tmp_path / "pics"
    pictures.mkdir()
    for k, item in enumerate(ids):
        picture = Image.new("RGB", (16, 16), (k * 20, 0, 0))
        name = (nfd if k % 2 else nfc)(item)
        picture.save(pictures / (name + (".JPG" if k % 3 else ".jpg")), format="JPEG")
    items = tmp_path / "items.jsonl"
    rows = [{"item_id": nfd(item), "title": item} for item in ids]
    rows += [{"item_id": nfc(ids[0]), "title": "again"}, {"item_id": "None", "title": "nothing"}]
    items.write_text("\n".join(map(json.dumps, rows)))
    log = tmp_path / "log.csv"
    with log.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["user_id", "item_id"])
        writer.writerows((f"u{u}", nfc(item)) for u in range(3) for item in ids)
    dataset = prepare_files(items, log, pictures, tmp_path / "d", k_core=0)
    assert dataset.catalogue is not None
    assert dataset.items.ids() == sorted(map(nfc, ids))
    assert dataset.catalogue.values("title") == sorted(ids)
    assert all(dataset.catalogue.images)
    assert len(set(dataset.catalogue.images)) == 8
    assert dataset.about["changed"]["items"] == {
        "item_id written in Unicode's composed form (NFC)": 4
    }
    assert dataset.about["dropped"]["items"] == {
        "the same item in another Unicode spelling, its first row stays": 1,
        "item_id is a word for a missing value": 1,
    }


def test_a_named_picture_is_found_in_the_other_spelling(tmp_path: Path) -> None:
    root = tmp_path / "pics"
    root.mkdir()
    Image.new("RGB", (8, 8), (9, 9, 9)).save(root / nfd("café.png"))
    Image.new("RGB", (8, 8), (5, 5, 5)).save(root / nfc("thé.png"))
    table = pa.table({"item_id": ["a", "b"], "image": [nfc("café.png"), nfd("pics/thé.png")]})
    pq.write_table(table, tmp_path / "items.parquet")
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id\nu,a\nu,b\n")
    dataset = prepare_files(tmp_path / "items.parquet", log, root, tmp_path / "d", k_core=0)
    assert dataset.about["images"] == 2


def test_a_dataset_that_has_both_spellings_keeps_both() -> None:
    users = Vocabulary([nfc(JOSE), nfd(JOSE)])
    assert users.find([nfd(JOSE), nfc(JOSE)]).tolist() == [1, 0]
