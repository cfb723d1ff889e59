"""What a backbone's training holds in memory, read off models built on small sets."""

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from cliper.backbones import Backbone, create_backbone, list_backbones
from cliper.data import Interactions
from cliper.representation import FeatureTable
from cliper.testing import toy_world
from cliper.training.sampler import UniformSampler

SIDE, WIDTH = 160, 256
COPIES = 5
"""Of a trained number: itself, its gradient, Adam's two moments, and the best epoch's."""


@dataclass(frozen=True)
class MemoryFacts:
    """Bytes that training a backbone with its defaults holds, by what they grow with.

    Attributes:
        backbone: its name.
        user, item, interaction: bytes each.
        item_pair: bytes a pair of items, of models with a table of all pairs.
        users, items: the largest set that fits this machine, in proportion to the dataset.
    """

    backbone: str
    user: float
    item: float
    interaction: float
    item_pair: float
    users: int
    items: int


def memory_facts(log: Interactions, memory: int | None = None) -> list[MemoryFacts]:
    """Of each backbone: differences between models built on sets of two sizes and more.

    Features are two tables of 256 numbers an item, counted where a model uses all of them at once.
    What a step needs for a moment (the rows of a batch; each layer's rows of a graph model) is not
    counted.

    Args:
        log: gives the proportion of users, items and interactions.
        memory: bytes there are; four fifths of this machine's when None.
    """
    if memory is None:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 4 // 5
    found = []
    for name, (user, item, interaction, pair) in _units().items():
        linear = user * log.n_users + item * log.n_items + interaction * len(log)
        times = _root(pair * log.n_items**2, linear, memory)
        largest = int(times * log.n_users), int(times * log.n_items)
        found.append(MemoryFacts(name, user, item, interaction, pair, *largest))
    return found


@cache
def _units() -> dict[str, tuple[float, float, float, float]]:
    """Backbone → bytes a user, an item, an interaction and a pair of items."""
    rows = 4 * SIDE
    sizes = [
        (SIDE, SIDE, rows),
        (2 * SIDE, SIDE, rows),
        (SIDE, 2 * SIDE, rows),
        (SIDE, 4 * SIDE, rows),
        (SIDE, SIDE, 2 * rows),
    ]
    worlds = [(_world(users, items), rows) for users, items, rows in sizes]
    found = {}
    for entry in list_backbones():
        base, users, items, more, twice = (_held(entry.name, *world) for world in worlds)
        pair = max(0.0, (more - 3 * items + 2 * base) / (6 * SIDE**2))
        pair = pair if pair >= 1 else 0.0  # a remainder is not a table
        item = max(0.0, (items - base) / SIDE - 3 * SIDE * pair)
        user, interaction = max(0.0, (users - base) / SIDE), (twice - base) / rows
        found[entry.name] = user, item, interaction, pair
    return found


def _root(square: float, linear: float, total: float) -> float:
    """t > 0 with square t² + linear t = total, also where square is 0."""
    return float(2 * total / (linear + (linear**2 + 4 * square * total) ** 0.5))


def _world(users: int, items: int) -> Any:
    return toy_world(users=users, items=items, width=WIDTH)


def _held(name: str, world: Any, rows: int) -> int:
    """Bytes of a model and its sampler on so many of a world's training rows."""
    train: Interactions = world.train
    taken = np.sort(np.random.default_rng(0).permutation(len(train))[:rows])
    assert train.timestamp is not None
    some = Interactions(
        train.users,
        train.items,
        train.user_index[taken],
        train.item_index[taken],
        timestamp=train.timestamp[taken],
    )
    entry = next(e for e in list_backbones() if e.name == name)
    features = None if entry.features == "none" else world.features
    model = create_backbone(name, some, features, fields=world.fields)
    held = model_bytes(model) + some.user_index.nbytes + some.item_index.nbytes
    if model.is_trained:
        sampler = UniformSampler(some, 1, np.random.default_rng(0))
        held += sum(_bytes(value) for value in vars(sampler).values())
        held += 4 * some.user_index.nbytes  # an epoch's order and its triples
    return held


def model_bytes(model: Backbone) -> int:
    """Bytes of weights (with what training keeps beside them), buffers and other arrays.

    Features of which only a batch's rows are asked for are not among them: where they are large
    they stay on the disk.
    """
    held = sum(p.numel() * p.element_size() * COPIES for p in model.parameters())
    left = {id(m.table) for m in model.modules() if isinstance(m, FeatureTable) and m.by_rows}
    held += sum(b.numel() * b.element_size() for b in model.buffers() if id(b) not in left)
    return held + sum(_bytes(value) for part in model.modules() for value in vars(part).values())


def _bytes(value: object) -> int:
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.nbytes
    if sp.issparse(value):
        matrix = sp.csr_matrix(value)
        return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
    return 0
