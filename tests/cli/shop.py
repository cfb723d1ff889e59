"""A shop small enough to train on in a second: people like one of four colours."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 180, 30), "blue": (40, 40, 210), "grey": (90,) * 3}
N_ITEMS, N_USERS, EACH = 32, 40, 8


def write_shop(folder: Path) -> tuple[Path, Path]:
    """Write `items.jsonl`, pictures and `log.csv`; return the paths of the two tables."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    names = list(COLOURS)
    with (folder / "items.jsonl").open("w", encoding="utf-8") as out:
        for i in range(N_ITEMS):
            colour = names[i % 4]
            noise = generator.integers(0, 40, (48, 48, 3))
            pixels = np.clip(np.array(COLOURS[colour]) + noise, 0, 255).astype(np.uint8)
            image = f"images/{i}.jpg" if i else None  # the first item has no picture
            if image:
                Image.fromarray(pixels).save(folder / image)
            row = {
                "item_id": f"item-{i}",
                "title": f"{colour} thing number {i}",
                "brand": f"brand {i % 5}",
                "description": None if i == 3 else f"a fine {colour} thing",
                "image": image,
            }
            out.write(json.dumps(row) + "\n")
    with (folder / "log.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["user_id", "item_id", "rating", "timestamp"])
        for u in range(N_USERS):
            weight = np.where(np.arange(N_ITEMS) % 4 == u % 4, 6.0, 1.0)
            chosen = generator.choice(N_ITEMS, EACH, replace=False, p=weight / weight.sum())
            for when, i in enumerate(chosen):
                writer.writerow([f"user-{u}", f"item-{i}", 5, 1000 * u + when])
    return folder / "items.jsonl", folder / "log.csv"
