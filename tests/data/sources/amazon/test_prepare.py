"""`prepare amazon` on generated files of every release: nothing lost that is not counted."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cliper.data import Dataset, prepare_amazon, prepare_summary
from cliper.errors import InputError
from generated.sources import AmazonTruth, write_amazon

CATEGORY = {2014: "Baby", 2018: "Sports_and_Outdoors", 2023: "Baby_Products"}
LAYOUTS = [(year, log) for year in CATEGORY for log in ("reviews", "ratings")]
REASONS = {
    "no user": "no user_id",
    "no item": "no item_id",
    "no rating": "rating missing or not a number",
    "no time": "timestamp missing or not a time",
    "unknown item": "item not in the catalogue",
}


def generate(folder: Path, year: int, log: str = "reviews", **options: Any) -> AmazonTruth:
    settings = {"n_items": 60, "n_users": 50, "n_rows": 700, "odd": 0.1, "seed": year, **options}
    return write_amazon(folder, year, CATEGORY[year], log=log, **settings)


def prepare(folder: Path, year: int, **options: Any) -> Dataset:
    return prepare_amazon(year, CATEGORY[year], folder, folder / "out", **options)


def earliest(truth: AmazonTruth) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for user, item, time in truth.pairs:
        found[user, item] = min(time, found.get((user, item), time))
    return found


def core(pairs: dict[tuple[str, str], int], k: int) -> dict[tuple[str, str], int]:
    while True:
        users, items = Counter(u for u, _ in pairs), Counter(i for _, i in pairs)
        left = {p: t for p, t in pairs.items() if users[p[0]] >= k and items[p[1]] >= k}
        if left == pairs:
            return left
        pairs = left


def triples(dataset: Dataset) -> dict[tuple[str, str], int]:
    log = dataset.interactions
    assert log.timestamp is not None
    users, items = dataset.users.ids(log.user_index), dataset.items.ids(log.item_index)
    return dict(zip(zip(users, items, strict=True), log.timestamp.tolist(), strict=True))


@pytest.mark.parametrize(("year", "log"), LAYOUTS)
def test_every_item_row_and_value(tmp_path: Path, year: int, log: str) -> None:
    truth = generate(tmp_path, year, log)
    dataset = prepare(tmp_path, year, k_core=0, keep_unbought=True)
    about, catalogue = dataset.about, dataset.catalogue
    assert catalogue is not None
    assert triples(dataset) == earliest(truth)

    broken = next(v for k, v in about["dropped"]["rows"].items() if k.startswith("not "))
    expected = {REASONS[kind]: n for kind, n in truth.lost_rows.items() if kind in REASONS}
    again = len(truth.pairs) - len(earliest(truth))
    found = dict(about["dropped"]["rows"])
    assert truth.lost_rows["broken"] == broken
    assert found.pop("the same user and item again") == again
    assert {k: v for k, v in found.items() if not k.startswith("not ")} == expected
    assert about["read"] == {"rows": truth.read_rows, "items": truth.read_items}

    lost = about["dropped"]["items"]
    assert lost["no item_id"] == truth.lost_items["no id"]
    assert lost["the same item again, its first row stays"] == truth.lost_items["again"]
    assert next(v for k, v in lost.items() if k.startswith("not a")) == truth.lost_items["broken"]
    changed = about["changed"]
    assert changed["items"] == {"bytes that are not UTF-8 read as Latin-1": truth.latin_1}
    assert truth.latin_1 > 0
    assert (
        changed.get("rows", {}).get("a time in seconds made milliseconds", 0)
        == (truth.odd_rows["seconds"])
    )

    kept = dataset.items.ids()
    assert set(kept) <= set(truth.items)  # an item with bad rows alone is in the log and not kept
    assert len(kept) + sum(lost.values()) == truth.read_items
    for name, column in ((name, catalogue.values(name)) for name in catalogue.fields):
        assert dict(zip(kept, column, strict=True)) == {
            item: truth.items[item].fields[name] for item in kept
        }, name
    assert catalogue.image_urls == tuple(tuple(truth.items[item].urls) for item in kept)
    odd = sum((truth.items[item].odd for item in kept), Counter())
    values = {**changed["fields"], **about["dropped"]["fields"]}
    html = "HTML entities resolved and tags taken out"
    named = {
        "html in title": f"title: {html}",
        "html in description": f"description: {html}",
        "repeated category": "categories: a value named twice kept once",
        "script in place of a title": "title: a script in place of a title left out",
        "no price": "price: no price left out",
    }
    assert values == {named[kind]: n for kind, n in odd.items()}


@pytest.mark.parametrize(("year", "log"), LAYOUTS)
def test_the_5_core_by_brute_force(tmp_path: Path, year: int, log: str) -> None:
    truth = generate(tmp_path, year, log)
    dataset = prepare(tmp_path, year)
    expected = core(earliest(truth), 5)
    assert triples(dataset) == expected
    assert len(expected) > 100
    rows = prepare_summary(dataset)
    for what, kept in (("interactions", "interactions"), ("items", "items")):
        read = next(n for group, name, n in rows if (group, name) == ("read", what))
        left = next(n for group, name, n in rows if (group, name) == ("kept", kept))
        section = "dropped rows" if what == "interactions" else "dropped items"
        assert read == left + sum(n for group, _, n in rows if group == section)


def test_the_order_of_rows_decides_nothing_but_between_repeats(tmp_path: Path) -> None:
    truth = generate(tmp_path, 2018, odd=0.0)
    first = prepare(tmp_path, 2018)
    for path in truth.files:
        lines = gzip.decompress(path.read_bytes()).splitlines()
        path.write_bytes(gzip.compress(b"\n".join(reversed(lines)) + b"\n"))
    assert prepare(tmp_path, 2018).hash == first.hash


@pytest.mark.parametrize("flat", [False, True], ids=["official", "flat"])
@pytest.mark.parametrize("year", CATEGORY)
def test_folders_as_published_or_flat_and_unpacked(tmp_path: Path, year: int, flat: bool) -> None:
    truth = generate(tmp_path, year, odd=0.0)
    before = prepare(tmp_path, year)
    for path in truth.files:
        target = (tmp_path / path.name if flat else path).with_suffix("")
        target.write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    after = prepare(tmp_path, year)
    assert after.hash == before.hash
    assert after.about["source"]["items"]["file"] == truth.files[0].stem


@pytest.mark.parametrize("year", CATEGORY)
def test_the_smallest_log_is_taken_unless_named(tmp_path: Path, year: int) -> None:
    generate(tmp_path, year, "reviews", odd=0.0)
    generate(tmp_path, year, "ratings", odd=0.0, n_rows=600)
    dataset = prepare(tmp_path, year, k_core=0)
    assert (dataset.about["options"]["log"], dataset.about["read"]["rows"]) == ("ratings", 600)
    assert prepare(tmp_path, year, k_core=0, log="reviews").about["read"]["rows"] == 700
    with pytest.raises(InputError, match=r"no ratings or reviews of .*officially at https://"):
        prepare(tmp_path, year, log="5-core")
    five = {
        2014: "reviews_Baby_5.json.gz",
        2018: "Sports_and_Outdoors_5.json.gz",
        2023: "5core/rating_only/Baby_Products.csv.gz",
    }[year]
    other = tmp_path / "other"
    truth = generate(other, year, "ratings" if year == 2023 else "reviews", odd=0.0, n_rows=500)
    target = tmp_path / five
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(truth.files[1].read_bytes())
    assert prepare(tmp_path, year, k_core=0).about["options"] == {
        "min_rating": None, "k_core": 0, "keep_unbought": False,
        "year": year, "category": CATEGORY[year], "log": "5-core",
    }  # fmt: skip


def test_2018_ratings_name_the_item_first(tmp_path: Path) -> None:
    """Read in 2014's order no item would be in the catalogue."""
    generate(tmp_path, 2018, "ratings", odd=0.0)
    csv = tmp_path / "categoryFilesSmall" / "Sports_and_Outdoors.csv"
    assert csv.read_text().startswith("B")
    assert prepare(tmp_path, 2018, k_core=0).users.ids()[0].startswith("A")
    swapped = [",".join([u, i, *rest]) for i, u, *rest in
               (line.split(",") for line in csv.read_text().split())]  # fmt: skip
    csv.write_text("\n".join(swapped))
    with pytest.raises(InputError, match=r"no interaction is left of 700 \(item not in the cat"):
        prepare(tmp_path, 2018, k_core=0)


def test_ratings_below_the_threshold(tmp_path: Path) -> None:
    generate(tmp_path, 2014, odd=0.0)
    with pytest.raises(InputError, match=r"rating below 4\.5: 700"):
        prepare(tmp_path, 2014, min_rating=4.5)


def test_the_wrong_year_is_said_so(tmp_path: Path) -> None:
    truth = generate(tmp_path, 2014, odd=0.0)
    (tmp_path / "meta_Sports_and_Outdoors.json.gz").write_bytes(truth.files[0].read_bytes())
    (tmp_path / "Sports_and_Outdoors.json.gz").write_bytes(truth.files[1].read_bytes())
    message = r"meta_Sports.*: none of its 60 lines is a JSON object \(is this the file"
    with pytest.raises(InputError, match=message):
        prepare(tmp_path, 2018)


def test_2014_in_strict_json_reads_the_same(tmp_path: Path) -> None:
    """The release's own page shows how to make JSON of its Python dictionaries."""
    truth = generate(tmp_path, 2014, odd=0.0)
    before = prepare(tmp_path, 2014)
    records = [json.dumps(item.record).encode() for item in truth.items.values()]
    truth.files[0].write_bytes(gzip.compress(b"\n".join(records)))
    assert prepare(tmp_path, 2014).hash == before.hash


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "cut off or damaged"),
        (lambda data: gzip.decompress(data), "the ending is .gz, the data is not"),
        (lambda data: b"", "the file is empty"),
        (lambda data: gzip.compress(b"\n \n"), "the file holds no rows"),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_damaged_files_are_refused_in_one_line(
    tmp_path: Path, which: int, damage: Any, message: str
) -> None:
    truth = generate(tmp_path, 2023, odd=0.0)
    path = truth.files[which]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError) as caught:
        prepare(tmp_path, 2023)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_missing_metadata_names_the_file_and_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no metadata of Baby \(meta_Baby\.json\.gz is needed; "):
        prepare_amazon(2014, "baby", tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match=r"no such folder \(name one, or an address such as http"):
        prepare_amazon(2014, "baby", tmp_path / "nowhere", tmp_path / "out")


def test_pictures_called_after_the_item(tmp_path: Path) -> None:
    from PIL import Image

    truth = generate(tmp_path, 2014, odd=0.0)
    item = truth.pairs[0][1]
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / f"{item}.png")
    dataset = prepare(tmp_path, 2014, k_core=0, images=tmp_path / "pictures")
    assert dataset.catalogue is not None
    stored = dict(zip(dataset.items.ids(), dataset.catalogue.images, strict=True))
    assert [name for name, image in stored.items() if image is not None] == [item]
    assert dataset.catalogue.image_urls is not None
