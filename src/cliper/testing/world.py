"""A tiny world that is solvable: taste is content, and content is known."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from cliper.data import Interactions, ItemFields, Vocabulary
from cliper.representation.features import ItemFeatures, Modality
from cliper.types import IndexArray


@dataclass(frozen=True, eq=False)
class ToyWorld:
    """Users and items in groups; a user likes the items of their group and no others.

    Attributes:
        train: what users have taken, of warm items only.
        test: what else they would take: held-out warm items and all cold items of their group.
        cold: indices of items that are not in `train`.
        features: image and text of every item, noisy copies of the group's own direction.
        fields: categories and makers of every item as tokens, each of one group alone.
    """

    train: Interactions
    test: Interactions
    cold: IndexArray
    features: ItemFeatures
    fields: ItemFields


def toy_world(
    groups: int = 4, users: int = 80, items: int = 80, width: int = 16, seed: int = 0
) -> ToyWorld:
    """Make a world; the same seed makes the same one.

    Args:
        groups: number of tastes.
        users, items: how many, dealt to the groups in turn.
        width: width of each modality's features, at least `groups`.
        seed: of everything drawn.

    >>> world = toy_world()
    >>> len(world.cold), world.features.modalities
    (16, ('image', 'text'))
    """
    generator = np.random.default_rng(seed)
    user_group, item_group = np.arange(users) % groups, np.arange(items) % groups
    cold = np.arange(items) >= items - items // 5
    likes = user_group[:, None] == item_group[None, :]
    taken = likes & ~cold[None, :] & (generator.random((users, items)) < 0.6)
    user_ids = Vocabulary([f"u{i}" for i in range(users)])
    item_ids = Vocabulary([f"i{i}" for i in range(items)])

    def interactions(mask: np.ndarray) -> Interactions:
        user_index, item_index = np.nonzero(mask)
        return Interactions(user_ids, item_ids, user_index, item_index)

    directions = np.eye(groups, width, dtype=np.float32)
    tables: dict[Modality, np.ndarray] = {
        "image": directions[item_group] + 0.2 * generator.standard_normal((items, width)),
        "text": directions[item_group] + 0.1 * generator.standard_normal((items, width)),
    }
    features = ItemFeatures(
        item_ids.hash,
        {name: torch.from_numpy(table.astype(np.float32)) for name, table in tables.items()},
        kind="toy",
    )
    stamps = generator.permutation(int(taken.sum()))  # no tie in time
    return ToyWorld(
        replace(interactions(taken), timestamp=stamps),
        interactions(likes & ~taken),
        np.flatnonzero(cold),
        features,
        _fields(item_ids, item_group, groups),
    )


def _fields(items: Vocabulary, group: IndexArray, groups: int) -> ItemFields:
    """One category per group, and two makers per group in turn."""
    maker = 2 * group + np.arange(len(items)) // groups % 2
    columns = np.concatenate([group, groups + maker])
    rows = np.tile(np.arange(len(items)), 2)
    matrix = sp.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)), shape=(len(items), 3 * groups)
    )
    categories = [("categories", f"c{i}") for i in range(groups)]
    makers = [("maker", f"m{i}") for i in range(2 * groups)]
    return ItemFields(items.hash, matrix, (*categories, *makers))
