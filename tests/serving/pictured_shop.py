"""A dataset of 20 users and 14 items with pictures, on disk."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from cliper.data import Catalogue, Dataset, Interactions, Vocabulary

M, N = 20, 14
COLD, BARE = N - 1, N - 2  # nobody took them; the second has neither picture nor colour
COLOURS = ["red", "green", "blue", "grey"]


def pictured_shop(folder: Path) -> Dataset:
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    images = []
    for item in range(N):
        name = f"images/{item}.png"
        shade = rng.integers(0, 255, (12, 12, 3)).astype(np.uint8)
        Image.fromarray(shade).resize((64, 64)).save(folder / name)
        images.append(None if item == BARE else name)
    users = Vocabulary([f"u{i}" for i in range(M)])
    items = Vocabulary([f"i{i}" for i in range(N)])
    user, item = np.nonzero(rng.random((M, BARE)) < 0.5)
    log = Interactions(users, items, user, item, timestamp=rng.permutation(len(user)))
    titles = [f"a {COLOURS[i % 4]} thing of kind {i % 5}" for i in range(N)]
    colours = [None if i == BARE else [COLOURS[i % 4], "bright"] for i in range(N)]
    table = pa.table({"title": titles, "colour": pa.array(colours, pa.list_(pa.string()))})
    return Dataset("shop", log, Catalogue(items, table, tuple(images), folder)).save(folder)
