"""Uniform negative sampling, a whole epoch at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from cliper.backbones import Batch
from cliper.data import Interactions
from cliper.types import IndexArray


class UniformSampler:
    """Shuffled training pairs, each with a negative drawn uniformly from the user's non-positives.

    Negatives come from the items that occur in training: an item that nobody could have bought yet
    is no evidence of dislike, and pushing it down would undo what its content says.
    A user who took every such item has no negative; those rows are left out and counted.

    Args:
        train: the training interactions, n pairs.
        batch_size: rows per batch (the last one may be shorter).
        generator: source of order and negatives; its state is the sampler's whole state.
        by_user: shuffle users instead of pairs, so that a batch holds all of a user's pairs (but
            for those cut by its end): a model of sequences then reads each sequence once.
    """

    def __init__(
        self,
        train: Interactions,
        batch_size: int,
        generator: np.random.Generator,
        *,
        by_user: bool = False,
    ) -> None:
        self.by_user = by_user
        self.batch_size, self.generator, self.n_items = batch_size, generator, train.n_items
        self.pool: IndexArray = np.unique(train.item_index)
        # Sorted keys user·N + item: a negative is checked by binary search.
        self.keys: IndexArray = np.unique(train.user_index * self.n_items + train.item_index)
        saturated = np.bincount(self.keys // self.n_items, minlength=train.n_users)
        usable = saturated[train.user_index] < len(self.pool)
        self.users, self.positives = train.user_index[usable], train.item_index[usable]
        self.left_out = int(len(train) - usable.sum())

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.users) // self.batch_size)

    def negatives(self, users: IndexArray) -> IndexArray:
        """One item per row that the row's user did not take, uniform over such items: (n,)."""
        drawn = self.pool[self.generator.integers(len(self.pool), size=len(users))]
        again = np.flatnonzero(self._is_positive(users, drawn))
        while len(again):
            drawn[again] = self.pool[self.generator.integers(len(self.pool), size=len(again))]
            again = again[self._is_positive(users[again], drawn[again])]
        return drawn

    def epoch(self) -> Iterator[Batch]:
        """One pass over the training pairs in a fresh order."""
        order = self._order()
        users, positives = self.users[order], self.positives[order]
        columns = [torch.from_numpy(c) for c in (users, positives, self.negatives(users))]
        for parts in zip(*(torch.split(c, self.batch_size) for c in columns), strict=True):
            yield Batch(*parts)

    def _order(self) -> IndexArray:
        if not self.by_user:
            return self.generator.permutation(len(self.users))
        place = self.generator.permutation(int(self.users.max(initial=-1)) + 1)
        return np.argsort(place[self.users], kind="stable")

    def _is_positive(self, users: IndexArray, items: IndexArray) -> np.ndarray:
        keys = users * self.n_items + items
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.asarray(self.keys[at] == keys)
