"""The generated shop: same bytes for the same seed, and a world in which content matters."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cliper.demo.drawing import MATERIALS, Look, draw_product
from cliper.demo.shapes import SHAPES
from cliper.demo.shop import generate_shop
from cliper.demo.tastes import buy, utilities
from cliper.demo.world import (
    ATTRIBUTES,
    CATEGORIES,
    COLOUR_NAMES,
    FAMILY_OF,
    MATERIALS_OF,
    PATTERNS,
    codes,
    make_products,
)
from cliper.errors import InputError


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shop")
    generate_shop(path, items=240, users=300, seed=3)
    return path


def read_items(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "items.jsonl").read_text("utf-8").splitlines()]


def read_log(path: Path) -> list[dict[str, str]]:
    with (path / "interactions.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def digests(path: Path) -> dict[str, str]:
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        generate_shop(tmp_path / name, items=36, users=20, seed=seed)
    first, again, other = (digests(tmp_path / name) for name in "abc")
    assert first == again
    for name in ("items.jsonl", "interactions.csv", "images/item-0000.jpg"):
        if name in first and name in other:
            assert first[name] != other[name]
    assert not [name for name in first if name.endswith(".part")]


def test_catalogue_is_what_prepare_files_reads(shop: Path) -> None:
    rows = read_items(shop)
    assert [row["item_id"] for row in rows] == [f"item-{i:04d}" for i in range(240)]
    for row in rows:
        assert isinstance(row["title"], str)
        assert row["title"]
        assert isinstance(row.get("categories", []), list)
        assert all(isinstance(row.get(f, ""), str) for f in ("brand", "description", "price"))
        if row["image"] is not None:
            with Image.open(shop / row["image"]) as picture:
                assert picture.size == (224, 224)
                picture.load()


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [("brand", 0.04, 0.18), ("description", 0.02, 0.13), ("categories", 0.01, 0.11)],
)
def test_fields_are_missing_for_some(shop: Path, field: str, low: float, high: float) -> None:
    share = np.mean([row.get(field) is None for row in read_items(shop)])
    assert low < share < high


def test_some_images_are_missing(shop: Path) -> None:
    rows = read_items(shop)
    without = sum(row["image"] is None for row in rows)
    assert 1 <= without <= 0.08 * len(rows)
    assert len(list((shop / "images").iterdir())) == len(rows) - without


def test_nine_percent_were_never_bought(shop: Path) -> None:
    items = {row["item_id"] for row in read_items(shop)}
    bought = {row["item_id"] for row in read_log(shop)}
    assert bought < items
    truth = json.loads((shop / "world.json").read_text())["items"]
    never = {name for name, item in truth.items() if item["never_bought"]}
    assert 0.08 <= len(never) / len(items) <= 0.10
    assert not never & bought


def test_log_is_dense_enough_for_a_five_core(shop: Path) -> None:
    rows = read_log(shop)
    pairs = {(row["user_id"], row["item_id"]) for row in rows}
    assert len(pairs) == len(rows)
    users, per_user = np.unique([row["user_id"] for row in rows], return_counts=True)
    assert len(users) == 300
    assert per_user.min() >= 10
    assert per_user.max() <= 30
    _, per_item = np.unique([row["item_id"] for row in rows], return_counts=True)
    assert (per_item >= 5).sum() > 0.85 * 240
    assert {row["rating"] for row in rows} <= set("12345")
    times = [int(row["timestamp"]) for row in rows]
    assert times == sorted(times)


def test_descriptions_are_sometimes_wrong(shop: Path) -> None:
    truth = json.loads((shop / "world.json").read_text())["items"]
    fates, counts = np.unique([item["description"] for item in truth.values()], return_counts=True)
    shares = dict(zip(fates.tolist(), (counts / 240).tolist(), strict=True))
    assert set(shares) == {"right", "wrong", "boilerplate", "missing"}
    assert 0.08 < shares["wrong"] < 0.24
    for row in read_items(shop):
        missing = truth[row["item_id"]]["description"] == "missing"
        assert missing == ("description" not in row)


def test_colour_shows_in_the_picture_and_rarely_in_the_text(shop: Path) -> None:
    truth = json.loads((shop / "world.json").read_text())["items"]
    named = [
        truth[row["item_id"]]["colour"] in f"{row['title']} {row.get('description', '')}"
        for row in read_items(shop)
    ]
    assert 0.2 < np.mean(named) < 0.7


def test_every_category_has_a_drawing_and_known_materials() -> None:
    assert set(CATEGORIES) == set(SHAPES) == set(MATERIALS_OF)
    for options in MATERIALS_OF.values():
        assert set(options) <= set(MATERIALS) & set(FAMILY_OF)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_picture_shows_colour_and_pattern(category: str) -> None:
    """Same light and shape, another attribute: the picture changes; the same: it does not."""

    def pixels(colour: str, pattern: str) -> np.ndarray:
        look = Look(category, colour, pattern, MATERIALS_OF[category][0])
        return np.asarray(draw_product(look, np.random.default_rng(4)), dtype=float)

    base = pixels("navy", "plain")
    assert np.array_equal(base, pixels("navy", "plain"))
    assert np.abs(base - pixels("mustard", "plain")).mean() > 2
    for pattern in PATTERNS[1:]:
        assert np.abs(base - pixels("navy", pattern)).mean() > 0.5
    assert len(COLOUR_NAMES) == 12


def ridge_recall(content: np.ndarray, bought: np.ndarray, cold: np.ndarray) -> float:
    """Recall@20 among cold items of users' mean liked content, mapped by ridge regression.

    The user's taste for a value is estimated in closed form from warm items alone.
    """
    warm = np.setdiff1d(np.arange(content.shape[0]), cold)
    x = content[warm] - content[warm].mean(axis=0)
    weights = np.linalg.solve(x.T @ x + 20 * np.eye(x.shape[1]), x.T @ bought[:, warm].T)
    top = np.argsort(-(content[cold] @ weights), axis=0, kind="stable")[:20].T
    relevant = bought[:, cold]
    counts = relevant.sum(axis=1)
    hits = np.take_along_axis(relevant, top, axis=1).sum(axis=1)
    return float((hits[counts > 0] / counts[counts > 0]).mean())


def test_content_predicts_taste_on_cold_items() -> None:
    rng = np.random.default_rng(1)
    products = make_products(600, rng)
    purchases = buy(utilities(products, 400, rng), np.zeros(600, dtype=bool), rng)
    bought = np.zeros((400, 600))
    bought[purchases.user, purchases.item] = 1
    cold = rng.choice(600, 120, replace=False)
    index = codes(products)
    one_hot = {name: np.eye(len(values))[index[name]] for name, values in ATTRIBUTES.items()}

    def recall(*names: str) -> float:
        return ridge_recall(np.concatenate([one_hot[n] for n in names], axis=1), bought, cold)

    chance = ridge_recall(rng.standard_normal((600, 32)), bought, cold)
    picture = recall("category", "colour", "pattern")
    text = recall("category", "family", "brand")
    everything = recall(*ATTRIBUTES)
    assert chance < 0.25
    assert picture > 2 * chance
    assert text > 1.7 * chance
    assert everything > max(picture, text) + 0.02
    assert min(picture, text) > recall("category") + 0.01


@pytest.mark.parametrize("bad", [{"items": 3}, {"users": 0}, {"seed": -1}])
def test_impossible_sizes_are_refused(tmp_path: Path, bad: dict[str, int]) -> None:
    with pytest.raises(InputError, match="cannot make a shop"):
        generate_shop(tmp_path, **bad)
    assert not list(tmp_path.iterdir())
