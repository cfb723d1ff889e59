"""`Interactions`: who took what, in indices, with the vocabularies that give them meaning."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cliper.data.vocabulary import Vocabulary
from cliper.errors import InputError, MismatchError
from cliper.types import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True, eq=False)
class Interactions:
    """An immutable list of n (user, item) pairs over two vocabularies.

    Attributes:
        users, items: the vocabularies, M and N ids.
        user_index, item_index: int64 (n,), parallel.
        rating: float32 (n,) or None where the source has none.
        timestamp: int64 (n,), seconds or a finer unit (`Dataset.times_per_second`), or None.
        tie_seed: draws the order of rows that share user and time, see `by_time`.
    """

    users: Vocabulary
    items: Vocabulary
    user_index: IndexArray
    item_index: IndexArray
    rating: FloatArray | None = None
    timestamp: IndexArray | None = None
    tie_seed: int = 0

    def __post_init__(self) -> None:
        for column in (self.item_index, self.rating, self.timestamp):
            if column is not None and len(column) != len(self.user_index):
                raise MismatchError("the columns of Interactions differ in length")

    def __len__(self) -> int:
        return len(self.user_index)

    @property
    def n_users(self) -> int:
        """M, the size of the user vocabulary (not only of those who appear)."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """N, the size of the item vocabulary (not only of those that appear)."""
        return len(self.items)

    def select(self, keep: BoolArray | IndexArray) -> "Interactions":
        """The rows that a mask (n,) or an index array picks, over the same vocabularies."""
        return Interactions(
            self.users,
            self.items,
            self.user_index[keep],
            self.item_index[keep],
            None if self.rating is None else self.rating[keep],
            None if self.timestamp is None else self.timestamp[keep],
            self.tie_seed,
        )

    def joined(self, other: "Interactions") -> "Interactions":
        """These pairs and then `other`'s, over the same vocabularies.

        Raises:
            MismatchError: the vocabularies differ.
        """
        if (self.users, self.items) != (other.users, other.items):
            raise MismatchError("interactions over different vocabularies cannot be joined")

        def both(a: Any, b: Any) -> Any:
            return None if a is None or b is None else np.concatenate([a, b])

        return Interactions(
            self.users,
            self.items,
            both(self.user_index, other.user_index),
            both(self.item_index, other.item_index),
            both(self.rating, other.rating),
            both(self.timestamp, other.timestamp),
            self.tie_seed,
        )

    def by_time(self) -> IndexArray:
        """Row numbers (n,), sorted by user, then by time.

        The order of rows that share both is drawn from `tie_seed`, the user and the item, for each
        user anew. Any rule that all users share, such as the items' numbers, would be a pattern
        that a sequence model learns and a test rewards. Where rows lie, and which other rows there
        are, does not matter: parts of a split agree on the order of what they share.

        Raises:
            InputError: there are no timestamps.
        """
        if self.timestamp is None:
            raise InputError("rows without timestamps have no order", where="dataset")
        lots = _lots(self.user_index, self.item_index, self.tie_seed)
        order: IndexArray = np.lexsort((lots, self.timestamp, self.user_index))
        return order

    def equal_times(self) -> int:
        """How many rows share user and time with another row; 0 without timestamps."""
        if self.timestamp is None or len(self) < 2:
            return 0
        order = np.lexsort((self.timestamp, self.user_index))
        user, time = self.user_index[order], self.timestamp[order]
        same = (user[1:] == user[:-1]) & (time[1:] == time[:-1])
        tied = np.zeros(len(order), dtype=np.bool_)
        tied[1:] |= same
        tied[:-1] |= same
        return int(tied.sum())

    def matrix(self) -> sp.csr_matrix:
        """The binary training matrix R, float32 CSR (M, N), rows with sorted columns."""
        ones = np.ones(len(self), dtype=np.float32)
        matrix = sp.csr_matrix(
            (ones, (self.user_index, self.item_index)), shape=(self.n_users, self.n_items)
        )
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        return matrix

    def user_counts(self) -> npt.NDArray[np.int64]:
        """Interactions per user, (M,)."""
        return np.bincount(self.user_index, minlength=self.n_users)

    def item_counts(self) -> npt.NDArray[np.int64]:
        """Interactions per item, (N,)."""
        return np.bincount(self.item_index, minlength=self.n_items)


def _lots(user: IndexArray, item: IndexArray, seed: int) -> npt.NDArray[np.uint64]:
    """A number for each pair, as good as random and the same on every machine."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2**64 is meant
        state = _mixed(np.full(len(user), seed, dtype=np.uint64))
        for part in (user, item):
            state = _mixed(state + part.astype(np.uint64))
    return state


def _mixed(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """One step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
