"""What each user did, in order of time, and where each pair stands in it."""

import numpy as np
import torch
from torch import Tensor, nn

from cliper.data import Interactions
from cliper.errors import InputError


class Sequences(nn.Module):
    """Every user's items by time, one after another in a flat table.

    Equal times stand in the order that `Interactions.by_time` draws.

    Args:
        interactions: pairs with timestamps.

    Raises:
        InputError: there are no timestamps.
    """

    items: Tensor
    starts: Tensor
    keys: Tensor
    places: Tensor

    def __init__(self, interactions: Interactions) -> None:
        super().__init__()
        if interactions.timestamp is None:
            raise InputError("a history without timestamps has no order", where="dataset")
        self.n_items = interactions.n_items
        order = interactions.by_time()
        users, items = interactions.user_index[order], interactions.item_index[order]
        starts = np.concatenate([[0], np.cumsum(interactions.user_counts())])
        # Of a pair that occurs twice the first place counts: later it is no news.
        keys, first = np.unique(users * self.n_items + items, return_index=True)
        tables = {"items": items, "starts": starts, "keys": keys, "places": first}
        for name, table in tables.items():
            self.register_buffer(name, torch.from_numpy(table.astype(np.int64)), persistent=False)

    def windows(self, users: Tensor, length: int, *, leave: int = 0) -> tuple[Tensor, Tensor]:
        """The last `length` items of users (B,), but for the `leave` last: begin and end (B,).

        Both count in `items`; begin = end where nothing is left.
        """
        start = self.starts[users]
        end = torch.maximum(self.starts[users + 1] - leave, start)
        return torch.maximum(start, end - length), end

    def find(self, users: Tensor, items: Tensor) -> Tensor:
        """Where in `items` each pair stands: (B,), -1 for a pair that does not occur."""
        keys = users * self.n_items + items
        at = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return torch.where(self.keys[at] == keys, self.places[at], -1)


def ragged(begin: Tensor, end: Tensor) -> Tensor:
    """begin_0 … end_0 − 1, begin_1 … end_1 − 1, and so on, flat.

    >>> ragged(torch.tensor([4, 9, 2]), torch.tensor([6, 9, 5])).tolist()
    [4, 5, 2, 3, 4]
    """
    lengths = end - begin
    first = lengths.cumsum(0) - lengths
    total = int(lengths.sum())
    steps = torch.arange(total, device=begin.device)
    return steps + torch.repeat_interleave(begin - first, lengths, output_size=total)
