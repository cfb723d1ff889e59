"""A warm world: popularity is skewed and tastes differ, and whoever misses either ranks badly."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
import torch

from cliper.data import Interactions, ItemFields, Vocabulary
from cliper.representation.features import ItemFeatures, Modality
from cliper.types import IndexArray


@dataclass(frozen=True, eq=False)
class WarmWorld:
    """Users who took items by their own taste and by the items' popularity.

    Attributes:
        train, valid, test: every user's items, 70, 10 and 20 % of them at random; those of the
            training in a random order, without ties in time.
        features: image and text of every item, of two widths and two scales: directions of its
            group under noise.
        fields: a category and a maker of every item as tokens, wrong for one item in five.
        preferences: float64 (M, N), the logarithms of the odds that all pairs were drawn with; no
            ranking can be expected to find more than theirs.
    """

    train: Interactions
    valid: Interactions
    test: Interactions
    features: ItemFeatures
    fields: ItemFields
    preferences: npt.NDArray[np.float64]


def warm_world(users: int = 1000, items: int = 500, groups: int = 8, seed: int = 0) -> WarmWorld:
    """Make a world; the same seed makes the same one.

    User u draws items without replacement at odds w_i exp(4 t_ug), g the group of item i. The
    weight w_i is 1/rank (Zipf), and the ranks are dealt without regard to the groups. The taste
    t_u is drawn from a Dirichlet distribution (0.3 each: a favourite group, a second, little of
    the others) and divided by its largest entry. Users take about 30 items each, at least 15.

    Args:
        users, items, groups: how many.
        seed: of everything drawn.

    >>> world = warm_world()
    >>> world.train.n_users, world.train.n_items, sorted(world.features.modalities)
    (1000, 500, ['image', 'text'])
    """
    generator = np.random.default_rng(seed)
    group = generator.integers(groups, size=items)
    popularity = -np.log(1 + generator.permutation(items))
    taste = generator.dirichlet(np.full(groups, 0.3), size=users)
    preferences = popularity + 4 * (taste / taste.max(axis=1, keepdims=True))[:, group]
    counts = generator.lognormal(np.log(30), 0.4, users).astype(int).clip(15, items // 4)
    # The n largest of log-odds plus Gumbel noise are n draws without replacement.
    drawn = np.argsort(-(preferences + generator.gumbel(size=preferences.shape)), axis=1)
    taken = [generator.permutation(drawn[u, :n]) for u, n in enumerate(counts)]
    user_ids = Vocabulary([f"u{i}" for i in range(users)])
    item_ids = Vocabulary([f"i{i}" for i in range(items)])

    def part(start: float, end: float) -> Interactions:
        mine = [t[int(start * len(t)) : int(end * len(t))] for t in taken]
        user_index = np.repeat(np.arange(users), [len(t) for t in mine])
        return Interactions(user_ids, item_ids, user_index, np.concatenate(mine))

    train = part(0, 0.7)
    return WarmWorld(
        replace(train, timestamp=generator.permutation(len(train))),
        part(0.7, 0.8),
        part(0.8, 1),
        _features(item_ids, group, generator),
        _fields(item_ids, group, generator),
        preferences,
    )


def warm_recall(
    scores: torch.Tensor, world: WarmWorld, part: Literal["valid", "test"] = "test", k: int = 20
) -> float:
    """Mean Recall@k over the users of a part, of scores (M, N), by brute force.

    All that came before the part is masked: the training pairs, and for `test` the validation's.
    """
    open_scores = scores.clone()
    for before in (world.train,) if part == "valid" else (world.train, world.valid):
        open_scores[before.user_index, before.item_index] = -torch.inf
    top = open_scores.topk(k, dim=1).indices.tolist()
    held_out: Interactions = getattr(world, part)
    relevant: list[set[int]] = [set() for _ in top]
    for user, item in zip(held_out.user_index.tolist(), held_out.item_index.tolist(), strict=True):
        relevant[user].add(item)
    return float(
        np.mean([len(r & set(t)) / len(r) for r, t in zip(relevant, top, strict=True) if r])
    )


def _features(items: Vocabulary, group: IndexArray, generator: np.random.Generator) -> ItemFeatures:
    def table(width: int, noise: float, scale: float) -> torch.Tensor:
        """Rows of about the length `scale` (1 + noise²)^½."""
        directions, other = generator.standard_normal((2, len(items), width)) / width**0.5
        rows = scale * (directions[group] + noise * other)
        return torch.from_numpy(rows.astype(np.float32))

    tables: dict[Modality, torch.Tensor] = {"image": table(48, 1.5, 10), "text": table(24, 1, 1)}
    return ItemFeatures(items.hash, tables, kind="warm")


def _fields(items: Vocabulary, group: IndexArray, generator: np.random.Generator) -> ItemFields:
    """One category and three makers per group."""
    groups, n = int(group.max()) + 1, len(items)

    def mostly_right() -> IndexArray:
        return np.where(generator.random(n) < 0.8, group, generator.integers(groups, size=n))

    makers = groups + 3 * mostly_right() + generator.integers(3, size=n)
    columns = np.concatenate([mostly_right(), makers])
    matrix = sp.csr_matrix(
        (np.ones(2 * n, np.float32), (np.tile(np.arange(n), 2), columns)), shape=(n, 4 * groups)
    )
    categories = [("categories", f"c{i}") for i in range(groups)]
    return ItemFields(
        items.hash, matrix, (*categories, *(("maker", f"m{i}") for i in range(3 * groups)))
    )
