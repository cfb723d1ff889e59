"""A solvable world whose views differ in noise, and the settings that its studies share."""

from pathlib import Path

import numpy as np

from cliper.data import Dataset, prepare_mmrec
from cliper.testing import toy_world

NOISE = (0.1, 0.6, 0.3, 2.0)
VIEWS = tuple(f"view-{i}" for i in range(len(NOISE)))
BASE = {
    "split": {"kind": "cold-item"},
    "backbone": {"trainable_features": False},
    "training": {"max_epochs": 3, "learning_rate": 0.05, "batch_size": 512},
}
VALUES = {
    "temperature": [0, 0.1, "inf"],
    "embedding-size": [64, 16],
    "coldness": [0.3],
    "threshold": [-1, 0.2],
}
NAMES = ("views", "fusion", "temperature", "embedding-size", "importance", "modalities",
         "coldness", "threshold")  # fmt: skip


def make_world(folder: Path) -> Dataset:
    """60 users, 160 items, four views of their groups, more and less noisy; some are missing."""
    world = toy_world(users=60, items=160, seed=3)
    generator = np.random.default_rng(3)
    source = folder / "source"
    source.mkdir(parents=True)
    rows = ["userID\titemID\trating\ttimestamp\tx_label"]
    pairs = [
        (int(u), int(i))
        for part in (world.train, world.test)
        for u, i in zip(part.user_index, part.item_index, strict=True)
        if generator.random() < 0.35  # so that K = 20 does not find all there is
    ]
    rows += [f"{u}\t{i}\t5.0\t{n}\t{n % 10 // 8 * (1 + n % 2)}" for n, (u, i) in enumerate(pairs)]
    (source / "toy.inter").write_text("\n".join(rows) + "\n")
    image = world.features.tables["image"].numpy()
    shape = image.shape
    text = np.stack([image + s * generator.standard_normal(shape) for s in NOISE])
    text[1, ::5] = 0  # an item in five lacks the second view
    image[::11] = 0
    np.save(source / "image_feat.npy", image.astype(np.float32))
    np.save(source / "text_feat.npy", text.astype(np.float32))
    return prepare_mmrec(source, folder / "dataset")
