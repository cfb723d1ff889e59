"""`Interactions`: who took what, in indices, with the vocabularies that give them meaning."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cliper.data.vocabulary import Vocabulary
from cliper.errors import MismatchError
from cliper.types import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True, eq=False)
class Interactions:
    """An immutable list of n (user, item) pairs over two vocabularies.

    Attributes:
        users, items: the vocabularies, M and N ids.
        user_index, item_index: int64 (n,), parallel.
        rating: float32 (n,) or None where the source has none.
        timestamp: int64 (n,), seconds or any monotone unit, or None.
    """

    users: Vocabulary
    items: Vocabulary
    user_index: IndexArray
    item_index: IndexArray
    rating: FloatArray | None = None
    timestamp: IndexArray | None = None

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
        )

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
