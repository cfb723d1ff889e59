"""What gives scores: user and item factors, or any function."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cliper.errors import MismatchError

ScoreFunction = Callable[[Tensor], Tensor]
"""User indices (B,) to scores (B, N) of all items."""


@dataclass(frozen=True, eq=False)
class FactorScorer:
    """Scores that are inner products, the fast path: one GEMM a chunk, into a reused buffer.

    Attributes:
        users: (M, d).
        items: (N, d).

    >>> FactorScorer(torch.eye(2), torch.tensor([[3.0, 4.0]]))(torch.tensor([1])).tolist()
    [[4.0]]
    """

    users: Tensor
    items: Tensor

    def __post_init__(self) -> None:
        if self.users.ndim != 2 or self.items.ndim != 2:
            raise MismatchError("user and item factors must be matrices")
        if self.users.shape[1] != self.items.shape[1]:
            raise MismatchError("user and item factors differ in width")

    def __call__(self, users: Tensor, out: Tensor | None = None) -> Tensor:
        """Scores (B, N) of users (B,), in `out` where one is given."""
        return torch.mm(self.users[users], self.items.T, out=out)

    def restrict(self, candidates: Tensor) -> "FactorScorer":
        """The same scores for the items `candidates` (n,) alone, as columns 0 … n-1."""
        return FactorScorer(self.users, self.items[candidates])
