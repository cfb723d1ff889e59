"""A catalogue's own pairs of picture and texts: which items have both, which may be told apart."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from torch import Tensor

from cliper.types import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True, eq=False)
class PairTable:
    """Who of n items is whose partner, and who is no negative of whom.

    Attributes:
        present: bool (C, n), the item has this view. All n have a picture.
        text_group: int64 (C, n), equal where two texts of a view are equal.
        image_group: int64 (n,), equal where two pictures are equal.
    """

    present: Tensor
    text_group: Tensor
    image_group: Tensor

    def take(self, rows: Tensor) -> "PairTable":
        """The items at `rows`, in that order."""
        return PairTable(self.present[:, rows], self.text_group[:, rows], self.image_group[rows])

    def to(self, device: torch.device | str) -> "PairTable":
        """The same on another device."""
        return PairTable(
            self.present.to(device), self.text_group.to(device), self.image_group.to(device)
        )

    def __len__(self) -> int:
        return len(self.image_group)


@dataclass(frozen=True, eq=False)
class PairSplit:
    """Rows of a `PairTable` by what they are for; no picture is in two parts.

    Attributes:
        train: pairs that the fit sees.
        valid: pairs that choose the epoch.
        report: pairs that nothing but the report sees.
    """

    train: Tensor
    valid: Tensor
    report: Tensor


def choose_pairs(
    text_present: BoolArray, image_present: BoolArray, max_items: int, seed: int
) -> IndexArray:
    """Items to fit on: those with a text and an image, a random `max_items` of them at most.

    Args:
        text_present: bool (C, N); image_present: bool (N,).
        max_items: an upper bound.
        seed: of the sample.
    """
    usable = np.flatnonzero(image_present & text_present.any(0))
    if len(usable) <= max_items:
        return usable
    picked = np.random.default_rng(seed).choice(len(usable), max_items, replace=False)
    return usable[np.sort(picked)]


def split_pairs(
    image_group: Tensor, share: float, generator: torch.Generator, at_most: int = 2000
) -> PairSplit:
    """A seeded split by picture: items with equal pictures stay together.

    Args:
        image_group: int64 (n,).
        share: of the items, for each of the two held-out parts.
        generator: of the order.
        at_most: items of a held-out part, because retrieval among them is quadratic.

    >>> parts = split_pairs(torch.arange(50), 0.1, torch.Generator().manual_seed(0))
    >>> len(parts.train), len(parts.valid), len(parts.report)
    (40, 5, 5)
    """
    first, group = distinct(image_group)
    # Numbered in order of first appearance, so that how groups were numbered has no say.
    group = first.argsort().argsort()[group]
    sizes = torch.bincount(group)
    order = torch.randperm(len(sizes), generator=generator)
    wanted = min(at_most, max(1, round(share * len(image_group))))
    filled = sizes[order].cumsum(0)
    part_of_group = torch.empty_like(order)
    part_of_group[order] = (filled > wanted).long() + (filled > 2 * wanted).long()
    part = part_of_group[group]
    report, valid, train = ((part == p).nonzero()[:, 0] for p in range(3))
    return PairSplit(train, valid, report)


def distinct(group: Tensor) -> tuple[Tensor, Tensor]:
    """The first position of each group (g,), and for each position (n,) which group it is.

    >>> distinct(torch.tensor([7, 3, 7]))
    (tensor([1, 0]), tensor([1, 0, 1]))
    """
    kinds, number = torch.unique(group, return_inverse=True)
    places = torch.arange(len(group), device=group.device)
    first = torch.full_like(kinds, len(group)).scatter_reduce_(0, number, places, "amin")
    return first, number


def row_groups(rows: FloatArray, present: BoolArray) -> IndexArray:
    """Numbers (n,) that are equal where present rows (n, D) are byte for byte equal.

    Absent rows get numbers of their own.

    >>> row_groups(np.array([[1.0], [2.0], [1.0]], np.float32), np.ones(3, bool)).tolist()
    [0, 1, 0]
    """
    groups = np.empty(len(rows), dtype=np.int64)
    seen: dict[bytes, int] = {}
    for i in range(len(rows)):
        key = b"row" + blake2b(rows[i].tobytes()).digest() if present[i] else b"absent %d" % i
        groups[i] = seen.setdefault(key, len(seen))
    return groups
