"""A world of 5 users and 6 items, small enough for loops, and the formulas that models share."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from cliper.backbones import Batch
from cliper.data import Interactions, Vocabulary
from cliper.representation.features import ItemFeatures

PAIRS = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 4), (4, 3)]  # item 5 is cold
STAMPS = [3, 1, 4, 2, 9, 8, 5, 7, 6]
TRIPLES = [(0, 1, 3), (1, 2, 5), (3, 0, 1)]


@dataclass(frozen=True)
class Tiny:
    """The tiny world. All formulas are plain loops or dense NumPy in float64."""

    train: Interactions
    features: ItemFeatures
    batch: Batch
    pairs: list[tuple[int, int]]
    triples: list[tuple[int, int, int]]
    M: int = 5
    N: int = 6
    D: int = 3

    def adjacency(self) -> np.ndarray:
        """Â (M+N, M+N), dense and normalised."""
        adjacency = np.zeros((self.M + self.N, self.M + self.N))
        for u, i in self.pairs:
            adjacency[u, self.M + i] = adjacency[self.M + i, u] = 1
        degree = adjacency.sum(1)
        for a in range(len(adjacency)):
            for b in range(len(adjacency)):
                if adjacency[a, b]:
                    adjacency[a, b] /= math.sqrt(degree[a] * degree[b])
        return adjacency

    def layer_mean(self, adjacency: np.ndarray, x: np.ndarray, layers: int) -> np.ndarray:
        """Mean of x, Ax, …, A^K x."""
        stack = [x]
        for _ in range(layers):
            stack.append(adjacency @ stack[-1])
        return np.mean(stack, axis=0)

    def bpr(self, users: np.ndarray, items: np.ndarray) -> float:
        """BPR of the batch for final representations."""
        total = 0.0
        for u, p, n in self.triples:
            total += -math.log(1 / (1 + math.exp(-(users[u] @ items[p] - users[u] @ items[n]))))
        return total / len(self.triples)

    def l2(self, *tables: tuple[np.ndarray, int]) -> float:
        """½ Σ ‖rows‖² / B; each table with the place of its index in a triple (0, 1 or 2)."""
        rows = sum((table[t[at]] ** 2).sum() for table, at in tables for t in self.triples)
        return float(rows) / 2 / len(self.triples)

    def close(self, value: torch.Tensor, expected: object) -> None:
        """Equal up to float32."""
        np.testing.assert_allclose(value.detach().numpy(), expected, rtol=2e-5, atol=2e-6)


@pytest.fixture
def tiny() -> Tiny:
    users = Vocabulary([f"u{i}" for i in range(5)])
    items = Vocabulary([f"i{i}" for i in range(6)])
    index = np.array(PAIRS, dtype=np.int64)
    train = Interactions(users, items, index[:, 0].copy(), index[:, 1].copy())
    train = replace(train, timestamp=np.array(STAMPS, dtype=np.int64))
    generator = torch.Generator().manual_seed(7)
    tables = {
        "image": torch.randn(6, 4, generator=generator),
        "text": torch.randn(6, 5, generator=generator),
    }
    batch = Batch(*(torch.tensor(column) for column in zip(*TRIPLES, strict=True)))
    return Tiny(train, ItemFeatures(items.hash, tables), batch, PAIRS, TRIPLES)
