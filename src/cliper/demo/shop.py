"""A generated shop on disk, in the format that `cliper prepare files` reads."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cliper.demo.drawing import draw_product
from cliper.demo.tastes import Purchases, buy, utilities
from cliper.demo.words import Listing, write_listings
from cliper.demo.world import Product, make_products
from cliper.errors import InputError
from cliper.files import write_json, write_text
from cliper.progress import task

NEVER_BOUGHT_SHARE = 0.09
NO_IMAGE_SHARE = 0.03


def generate_shop(out: Path, items: int = 600, users: int = 800, seed: int = 0) -> None:
    """Write a small shop: catalogue, product pictures and a log of purchases.

    Files under `out`: `items.jsonl` (item_id, title, brand, categories, description, price,
    image), `interactions.csv` (user_id, item_id, rating, timestamp), `images/*.jpg`, and
    `world.json`, the hidden truth, which cliper itself never reads. Equal arguments give equal
    bytes.

    The world is made so that content matters: tastes are for category, colour, pattern, family
    of material and brand; colour and pattern show in the picture and not always in the text,
    brand only in the text; one description in seven tells of another product, some titles and
    categories say nothing; some fields and pictures are missing; about 9 % of the items have
    never been bought.

    Args:
        out: the folder, made where it is missing.
        items, users: how many of each; at least 24 and 1.
        seed: of everything random.

    Raises:
        InputError: too few items or users, or a negative seed.
    """
    if items < 24 or users < 1 or seed < 0:
        raise InputError(
            f"cannot make a shop of {items} items and {users} users with seed {seed}",
            remedy="at least 24 items, 1 user and a seed of 0 or more",
        )
    world, text, taste, luck = (np.random.default_rng([seed, part]) for part in range(4))
    products = make_products(items, world)
    listings = write_listings(products, text)
    never = np.zeros(items, dtype=np.bool_)
    never[luck.choice(items, round(items * NEVER_BOUGHT_SHARE), replace=False)] = True
    pictured = luck.random(items) >= NO_IMAGE_SHARE
    purchases = buy(utilities(products, users, taste), never, taste)

    # The catalogue comes after its pictures: a shop without items.jsonl is no shop.
    _draw_images(out, products, pictured, seed)
    rows = [
        _item_row(index, listing, bool(pictured[index])) for index, listing in enumerate(listings)
    ]
    write_text(
        out / "items.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    )
    write_text(out / "interactions.csv", _log(purchases))
    write_json(out / "world.json", _truth(products, listings, never, seed))


def _item_id(index: int) -> str:
    return f"item-{index:04d}"


def _item_row(index: int, listing: Listing, pictured: bool) -> dict[str, Any]:
    """One line of the catalogue; a missing field is an absent key, as in scraped data."""
    row = {
        "item_id": _item_id(index),
        "title": listing.title,
        "brand": listing.brand,
        "categories": listing.categories,
        "description": listing.description,
        "price": listing.price,
    }
    present = {key: value for key, value in row.items() if value is not None}
    return present | {"image": f"images/{_item_id(index)}.jpg" if pictured else None}


def _draw_images(
    out: Path, products: list[Product], pictured: npt.NDArray[np.bool_], seed: int
) -> None:
    (out / "images").mkdir(parents=True, exist_ok=True)
    with task("drawing products", total=int(pictured.sum())) as progress:
        for index in np.flatnonzero(pictured).tolist():
            picture = draw_product(products[index].look, np.random.default_rng([seed, 9, index]))
            picture.save(out / "images" / f"{_item_id(index)}.jpg", format="JPEG", quality=88)
            progress.advance()


def _log(purchases: Purchases) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["user_id", "item_id", "rating", "timestamp"])
    writer.writerows(
        (f"user-{user:04d}", _item_id(item), rating, time)
        for user, item, rating, time in zip(
            purchases.user.tolist(),
            purchases.item.tolist(),
            purchases.rating.tolist(),
            purchases.timestamp.tolist(),
            strict=True,
        )
    )
    return text.getvalue()


def _truth(
    products: list[Product], listings: list[Listing], never: npt.NDArray[np.bool_], seed: int
) -> dict[str, Any]:
    return {
        "seed": seed,
        "items": {
            _item_id(index): {
                "category": product.category,
                "colour": product.colour,
                "pattern": product.pattern,
                "material": product.material,
                "family": product.family,
                "brand": product.brand,
                "description": listing.fate,
                "never_bought": bool(never[index]),
            }
            for index, (product, listing) in enumerate(zip(products, listings, strict=True))
        },
    }
