"""Scores from a polynomial of a sparse item graph."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.scoring.base import Scorer, register_scorer
from cliper.scoring.cosines import sparse_cosines
from cliper.scoring.history import csr_from, csr_tensors


@register_scorer
class FilterScorer(Scorer):
    """score(u, ·) = h_u (a_1 P + a_2 P² + …), on the CPU; no power of P is ever formed.

    By Horner's rule (a_1 h + (a_2 h + …) P) P, so that candidates restrict the last product alone.

    Args:
        history: h, (M, N) sparse.
        graph: P, (N, N) sparse and symmetric.
        coefficients: a_1, a_2, …, at least one.
        candidates: columns that are scored; None for all.

    >>> graph = sp.csr_matrix([[0.0, 2.0], [2.0, 0.0]])
    >>> FilterScorer(sp.csr_matrix([[1.0, 0.0]]), graph, [1, 3])(torch.tensor([0])).tolist()
    [[12.0, 2.0]]
    """

    kind: ClassVar[str] = "filter"

    def __init__(
        self,
        history: sp.csr_matrix,
        graph: sp.csr_matrix,
        coefficients: Sequence[float],
        candidates: Tensor | None = None,
    ) -> None:
        self.history = sp.csr_matrix(history, dtype=np.float32)
        self.graph = sp.csr_matrix(graph, dtype=np.float32)
        self.coefficients = tuple(float(a) for a in coefficients)
        self.candidates = candidates
        # P is symmetric: the rows of the candidates are their columns.
        self.last = self.graph if candidates is None else self.graph[candidates.cpu().numpy()]
        self.columns = self.graph if candidates is None else self.last.T.tocsr()

    @property
    def shape(self) -> tuple[int, int]:
        """(M, N'), of the candidates alone where there are some."""
        return self.history.shape[0], self.last.shape[0]

    def __call__(self, users: Tensor) -> Tensor:
        """Scores (B, N') of users (B,)."""
        taken = self.history[users.cpu().numpy()]
        *lower, highest = self.coefficients
        # The first product is of two sparse matrices, and by far the cheapest.
        first = (taken * np.float32(highest)) @ (self.graph if lower else self.columns)
        scores = first.toarray()
        if lower:
            # Columns are users here: a sparse row times a dense block runs over contiguous memory.
            block, turned = np.ascontiguousarray(scores.T), taken.T.toarray()
            for power, coefficient in reversed(list(enumerate(lower))):
                block += np.float32(coefficient) * turned
                block = (self.graph if power else self.last) @ block
            scores = np.ascontiguousarray(block.T)
        return torch.from_numpy(scores).to(users.device)

    def of(self, history: sp.csr_matrix) -> Self:
        """The same filter on other people's histories (B, N)."""
        return type(self)(history, self.graph, self.coefficients, self.candidates)

    def restrict(self, candidates: Tensor) -> Self:
        """The same scores for `candidates` alone, cut at the last product."""
        candidates = candidates.cpu()
        if self.candidates is not None:
            candidates = self.candidates[candidates]
        return type(self)(self.history, self.graph, self.coefficients, candidates)

    def similarities(self, items: Tensor) -> Tensor:
        """An item is its row of P, what the graph says of it and each other: cosines (B, N')."""
        return sparse_cosines(self.last, items)

    def tensors(self) -> dict[str, Tensor]:
        """CSR arrays of history and graph, the coefficients and the candidates."""
        tensors = csr_tensors("history", self.history) | csr_tensors("graph", self.graph)
        tensors["coefficients"] = torch.tensor(self.coefficients, dtype=torch.float64)
        return tensors if self.candidates is None else tensors | {"candidates": self.candidates}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """From what `tensors` gave."""
        return cls(
            csr_from("history", tensors),
            csr_from("graph", tensors),
            tensors["coefficients"].tolist(),
            tensors.get("candidates"),
        )
