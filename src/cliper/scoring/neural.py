"""Scores of an inner product and a perceptron, fused (NeuMF)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from cliper.errors import MismatchError
from cliper.scoring.base import Scorer, register_scorer
from cliper.scoring.blocks import Columns
from cliper.scoring.cosines import cosines

# Pairs that go through the perceptron at once, always so many (see `blocks`): a MiB of hidden
# activations for 64 of them.
USERS, ITEMS = 16, 256


@register_scorer
@dataclass(frozen=True, eq=False)
class NeuralScorer(Scorer):
    """score(u, i) = h · [p_u ⊙ q_i, MLP(p'_u, q'_i)], of all items in blocks.

    The first layer is a sum of what the user and what the item puts in, so that it costs M + N
    products and not M·N; the others cost what they cost.

    Attributes:
        users: [p, p'], (M, 2d).
        items: [q, q'], (N, 2d).
        layers: weight (o, i) and bias (o,) of each layer of the perceptron, the first 2d wide.
        h: (d + o,) with o the last layer's width.

    >>> one = torch.ones(1, 2)
    >>> scorer = NeuralScorer(one, one * 2, ((one, torch.zeros(1)),), torch.tensor([1.0, 1.0]))
    >>> scorer(torch.tensor([0])).tolist()
    [[5.0]]
    """

    kind: ClassVar[str] = "neural"
    users: Tensor
    items: Tensor
    layers: tuple[tuple[Tensor, Tensor], ...]
    h: Tensor

    def __post_init__(self) -> None:
        if self.users.ndim != 2 or self.users.shape[1:] != self.items.shape[1:]:
            raise MismatchError("user and item tables differ in width")

    @property
    def shape(self) -> tuple[int, int]:
        """(M, N)."""
        return len(self.users), len(self.items)

    @cached_property
    def of_items(self) -> Tensor:
        """What the items put into the first layer, (N, o), with zeros up to whole blocks."""
        q = self.items.chunk(2, dim=1)[1]
        put = Columns(q).products(self.layers[0][0][:, q.shape[1] :])
        return torch.nn.functional.pad(put.T, (0, 0, 0, -len(q) % ITEMS)).contiguous()

    @cached_property
    def columns(self) -> Columns:
        """The items' first embedding as a product's right side."""
        return Columns(self.items.chunk(2, dim=1)[0])

    @torch.no_grad()
    def __call__(self, users: Tensor) -> Tensor:
        """Scores (B, N) of users (B,)."""
        p, p_mlp = self.users[users.to(self.users.device)].chunk(2, dim=1)
        d, n = p.shape[1], len(self.items)
        weight, bias = self.layers[0]
        scores = self.columns.products(p * self.h[:d])
        of_users = Columns(weight[:, :d]).products(p_mlp) + bias
        of_users = torch.nn.functional.pad(of_users, (0, 0, 0, -len(p) % USERS))
        for top in range(0, len(p), USERS):
            for start in range(0, n, ITEMS):
                block = scores[top : top + USERS, start : start + ITEMS]
                z = of_users[top : top + USERS, None] + self.of_items[start : start + ITEMS]
                z.relu_()
                for weight, bias in self.layers[1:]:
                    z = torch.nn.functional.linear(z, weight, bias).relu_()
                block += (z @ self.h[d:])[: block.shape[0], : block.shape[1]]
        return scores

    def restrict(self, candidates: Tensor) -> Self:
        """The same scores for the items `candidates` (n,) alone, as columns 0 … n-1."""
        items = self.items[candidates.to(self.items.device)]
        return type(self)(self.users, items, self.layers, self.h)

    def similarities(self, items: Tensor) -> Tensor:
        """Cosines of both embeddings of each item, side by side: (B, N)."""
        return cosines(self.items, items)

    def tensors(self) -> dict[str, Tensor]:
        """The tables and the weights, layers numbered from 0."""
        weights = {f"weight.{at}": weight for at, (weight, _) in enumerate(self.layers)}
        biases = {f"bias.{at}": bias for at, (_, bias) in enumerate(self.layers)}
        return {"users": self.users, "items": self.items, "h": self.h, **weights, **biases}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """From what `tensors` gave."""
        depth = sum(name.startswith("weight.") for name in tensors)
        layers = tuple((tensors[f"weight.{at}"], tensors[f"bias.{at}"]) for at in range(depth))
        return cls(tensors["users"], tensors["items"], layers, tensors["h"])
