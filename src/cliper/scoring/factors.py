"""Scores that are inner products."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

from torch import Tensor

from cliper.errors import MismatchError
from cliper.scoring.base import Scorer, register_scorer
from cliper.scoring.blocks import Columns
from cliper.scoring.cosines import cosines


@register_scorer
@dataclass(frozen=True, eq=False)
class FactorScorer(Scorer):
    """Scores that are inner products, the fast path: dense products into a reused buffer.

    A score has the same bits whoever is scored with it (`blocks`): equal items have equal scores.

    Attributes:
        users: (M, d).
        items: (N, d).

    >>> import torch
    >>> FactorScorer(torch.eye(2), torch.tensor([[3.0, 4.0]]))(torch.tensor([1])).tolist()
    [[4.0]]
    """

    kind: ClassVar[str] = "factors"
    users: Tensor
    items: Tensor

    def __post_init__(self) -> None:
        if self.users.ndim != 2 or self.items.ndim != 2:
            raise MismatchError("user and item factors must be matrices")
        if self.users.shape[1] != self.items.shape[1]:
            raise MismatchError("user and item factors differ in width")

    @property
    def shape(self) -> tuple[int, int]:
        """(M, N)."""
        return len(self.users), len(self.items)

    @cached_property
    def columns(self) -> Columns:
        """The items as a product's right side."""
        return Columns(self.items)

    def __call__(self, users: Tensor, buffer: Tensor | None = None) -> Tensor:
        """Scores (B, N) of users (B,), in a flat `buffer` of `columns.numbers(B)` if given."""
        return self.columns.products(self.users[users], buffer)

    def of(self, users: Tensor) -> Self:
        """The same items with other users (B, d)."""
        other = type(self)(users, self.items)
        other.__dict__["columns"] = self.columns  # not laid out again
        return other

    def restrict(self, candidates: Tensor) -> Self:
        """The same scores for the items `candidates` (n,) alone, as columns 0 … n-1."""
        return type(self)(self.users, self.items[candidates.to(self.items.device)])

    def similarities(self, items: Tensor) -> Tensor:
        """Cosines of the item factors, (B, N)."""
        return cosines(self.items, items)

    def tensors(self) -> dict[str, Tensor]:
        """The two tables."""
        return {"users": self.users, "items": self.items}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """From the two tables."""
        return cls(tensors["users"], tensors["items"])
