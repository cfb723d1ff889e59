"""(user, item) pairs by user, and where they lie in a chunk of a score matrix."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cliper.data.distinct import distinct
from cliper.data.interactions import Interactions
from cliper.errors import MismatchError
from cliper.types import IndexArray


class PairsByUser:
    """The union of some interactions, grouped by user.

    Args:
        parts: over the same vocabularies.
        columns: the items that are columns of the score matrix, in order; None for all N. Pairs
            with other items are left out (`outside` counts them).
        users: the users that will be asked about; None for all.

    Raises:
        MismatchError: the parts differ in vocabulary.
    """

    def __init__(
        self,
        parts: Sequence[Interactions],
        columns: IndexArray | None = None,
        users: IndexArray | None = None,
    ) -> None:
        self.check(parts)
        first = parts[0]
        user = np.concatenate([part.user_index for part in parts])
        item = np.concatenate([part.item_index for part in parts])
        if users is not None:
            wanted = np.zeros(first.n_users, dtype=np.bool_)
            wanted[users] = True
            user, item = user[wanted[user]], item[wanted[user]]
        width = first.n_items
        self.outside = 0
        if columns is not None:
            place = np.full(first.n_items, -1, dtype=np.int64)
            place[columns] = np.arange(len(columns))
            inside = place[item] >= 0
            self.outside = int(len(item) - inside.sum())
            user, item, width = user[inside], place[item[inside]], len(columns)
        keys = distinct(user * width + item)
        rows, self.columns = np.divmod(keys, max(width, 1))
        self.width = width
        self.counts = np.bincount(rows, minlength=first.n_users)
        self.starts = np.concatenate([[0], self.counts.cumsum()])

    @staticmethod
    def check(parts: Sequence[Interactions]) -> None:
        """Refuse parts over different vocabularies."""
        for part in parts[1:]:
            if (part.users, part.items) != (parts[0].users, parts[0].items):
                raise MismatchError("interactions over different vocabularies cannot be joined")

    def flat(self, users: IndexArray, pitch: int | None = None) -> Tensor:
        """Positions of these users' pairs in a flattened (B, width) matrix of their rows.

        Args:
            users: (B,).
            pitch: from one row's first number to the next one's; `width` if None.
        """
        counts = self.counts[users]
        ends = counts.cumsum()
        row = np.repeat(np.arange(len(users)), counts)
        within = np.arange(len(row)) - np.repeat(ends - counts, counts)
        columns = self.columns[np.repeat(self.starts[users], counts) + within]
        return torch.from_numpy(row * (self.width if pitch is None else pitch) + columns)
