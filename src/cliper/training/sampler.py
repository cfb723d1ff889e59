"""Uniform negative sampling, a whole epoch at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from cliper.backbones import Batch
from cliper.data import Interactions
from cliper.data.distinct import distinct
from cliper.types import IndexArray

DENSE = 7 / 8
"""Of users who took more than this share of the pool, most draws would be refused."""


class UniformSampler:
    """Shuffled training pairs, each with a negative drawn uniformly from the user's non-positives.

    Negatives come from the items that occur in training: an item that nobody could have bought yet
    is no evidence of dislike, and pushing it down would undo what its content says.
    A user who took every such item has no negative; those rows are left out and counted.

    Draws that hit a positive are drawn again (eight draws a row are expected at most); for a user
    who took more than 7/8 of the items, the second draw is the number of a non-positive instead,
    so that nobody's row takes long. Either way every non-positive is equally likely.

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
        self.pool: IndexArray = np.flatnonzero(train.item_counts())
        # Sorted keys user·N + item: a negative is checked by binary search, if its mark is set.
        self.keys: IndexArray = distinct(train.user_index * self.n_items + train.item_index)
        self._bits = max(8, (4 * len(self.keys)).bit_length())
        self._marks = np.zeros(1 << self._bits, dtype=np.bool_)
        self._marks[self._mark(self.keys)] = True
        taken = np.bincount(self.keys // self.n_items, minlength=train.n_users)
        usable = taken[train.user_index] < len(self.pool)
        self.users, self.positives = train.user_index[usable], train.item_index[usable]
        self.left_out = int(len(train) - usable.sum())
        self._free = len(self.pool) - taken
        self._dense = taken > DENSE * len(self.pool)
        self._gaps, self._first = self._positives_of_dense_users(taken)

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.users) // self.batch_size)

    def negatives(self, users: IndexArray) -> IndexArray:
        """One item per row that the row's user did not take, uniform over such items: (n,)."""
        drawn = self.pool[self.generator.integers(len(self.pool), size=len(users))]
        again = np.flatnonzero(self._is_positive(users, drawn))
        dense = again[self._dense[users[again]]]
        again = again[~self._dense[users[again]]]
        while len(again):
            drawn[again] = self.pool[self.generator.integers(len(self.pool), size=len(again))]
            again = again[self._is_positive(users[again], drawn[again])]
        if len(dense):
            number = self.generator.integers(self._free[users[dense]])
            drawn[dense] = self._non_positive(users[dense], number)
        return drawn

    def epoch(self, device: str = "cpu") -> Iterator[Batch]:
        """One pass over the training pairs in a fresh order, sent to the device as a whole."""
        order = self._order()
        users, positives = self.users[order], self.positives[order]
        drawn = (users, positives, self.negatives(users))
        columns = [torch.from_numpy(c).to(device) for c in drawn]
        for parts in zip(*(torch.split(c, self.batch_size) for c in columns), strict=True):
            yield Batch(*parts)

    def _order(self) -> IndexArray:
        if not self.by_user:
            return self.generator.permutation(len(self.users))
        place = self.generator.permutation(int(self.users.max(initial=-1)) + 1)
        return np.argsort(place[self.users], kind="stable")

    def _is_positive(self, users: IndexArray, items: IndexArray) -> np.ndarray:
        keys = users * self.n_items + items
        found = np.asarray(self._marks[self._mark(keys)])
        possible = np.flatnonzero(found)
        possible = possible[np.argsort(keys[possible])]  # a sorted search stays in cache
        keys = keys[possible]
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found[possible] = self.keys[at] == keys
        return found

    def _mark(self, keys: IndexArray) -> np.ndarray:
        """Where keys (n,) are marked: (n,) places, which other keys may share.

        Marks say of four negatives in five or more that they are none of the keys, in one look
        instead of one a bit of the keys' number. Multiplicative hashing (Knuth, Section 6.4).
        """
        spread = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return np.asarray(spread >> np.uint64(64 - self._bits))

    def _positives_of_dense_users(self, taken: IndexArray) -> tuple[IndexArray, IndexArray]:
        """What `_non_positive` looks up, for dense users alone: most logs have none.

        Returns:
            Sorted keys user·(P + 1) + non-positives before the positive, P the size of the pool;
            and each user's first row among them, (M,).
        """
        users = self.keys // self.n_items
        mine = self._dense[users]
        taken = np.where(self._dense, taken, 0)
        first = np.cumsum(taken) - taken
        users, items = users[mine], self.keys[mine] % self.n_items
        nth = np.arange(len(users)) - first[users]
        before = np.searchsorted(self.pool, items) - nth
        return users * (len(self.pool) + 1) + before, first

    def _non_positive(self, users: IndexArray, number: IndexArray) -> IndexArray:
        """The items that are `number`-th (n,), from 0, among what dense users (n,) did not take.

        A positive comes before it if at most `number` non-positives come before that positive.
        """
        keys = users * (len(self.pool) + 1) + number
        before = np.searchsorted(self._gaps, keys, side="right") - self._first[users]
        return self.pool[number + before]
