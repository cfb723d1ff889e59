"""A dataset of 40 users and 60 items with two fields, in memory."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from cliper.data import Catalogue, Dataset, Interactions, Vocabulary

M, N = 40, 60
KINDS = [["bag", "shoe", "hat"][i % 3] for i in range(N)]
PRICES = [str(5 + 7 * i % 100) for i in range(N)]


def shop(catalogue: bool = True) -> Dataset:
    rng = np.random.default_rng(3)
    users = Vocabulary([f"u{i}" for i in range(M)])
    items = Vocabulary([f"i{i}" for i in range(N)])
    user, item = np.nonzero(rng.random((M, N)) < np.linspace(0.5, 0.1, N))
    log = Interactions(users, items, user, item, timestamp=rng.permutation(len(user)))
    table = pa.table({"kind": KINDS, "price": PRICES})
    described = Catalogue(items, table, (None,) * N, Path())
    return Dataset("shop", log, described if catalogue else None)
