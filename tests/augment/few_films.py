"""A dataset of 12 users and 12 films."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from cliper.data import Catalogue, Dataset, Interactions, Vocabulary


def films(path: Path, titles: list[str] | None = None) -> Dataset:
    """Two groups of users who take films of their group; with times."""
    users = Vocabulary([f"u{i:02d}" for i in range(12)])
    items = Vocabulary([f"i{i:02d}" for i in range(12)])
    generator = np.random.default_rng(0)
    pairs = [
        (u, i) for u in range(12) for i in range(12) if u % 2 == i % 2 or generator.random() < 0.3
    ]
    index = np.array(pairs)
    stamps = generator.permutation(len(pairs))
    log = Interactions(
        users, items, index[:, 0].copy(), index[:, 1].copy(), None, stamps.astype(np.int64)
    )
    table = pa.table(
        {
            "year": pa.array([str(1980 + i) for i in range(12)]),
            "title": pa.array(titles or [f"Film {i}" for i in range(12)]),
            "categories": pa.array([["Drama"] if i % 2 else ["Comedy", "War"] for i in range(12)]),
        }
    )
    catalogue = Catalogue(items, table, (None,) * 12, path)
    return Dataset("films", log, catalogue).save(path)
