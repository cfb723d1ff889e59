"""Scores from what a user took: one weight per pair of items."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.scoring.base import Scorer, register_scorer
from cliper.scoring.cosines import cosines, sparse_cosines


@register_scorer
class HistoryScorer(Scorer):
    """score(u, i) = Σ_{j in history of u} W_ji, on the CPU (both sides are sparse as a rule).

    Args:
        history: (M, N) sparse, what users have taken.
        weights: (N, N'), sparse where most pairs weigh nothing, else a dense array.

    >>> history = sp.csr_matrix([[1.0, 1.0]])
    >>> HistoryScorer(history, np.array([[0.0, 2.0], [3.0, 0.0]]))(torch.tensor([0])).tolist()
    [[3.0, 2.0]]
    """

    kind: ClassVar[str] = "history"

    def __init__(
        self, history: sp.csr_matrix, weights: sp.csr_matrix | np.ndarray | Tensor
    ) -> None:
        self.history = sp.csr_matrix(history, dtype=np.float32)
        if isinstance(weights, Tensor):
            weights = weights.detach().cpu().numpy()
        self.is_sparse = sp.issparse(weights)
        self.weights = (
            sp.csr_matrix(weights, dtype=np.float32)
            if self.is_sparse
            else np.asarray(weights, dtype=np.float32)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(M, N')."""
        return self.history.shape[0], self.weights.shape[1]

    def __call__(self, users: Tensor) -> Tensor:
        """Scores (B, N') of users (B,)."""
        scores = self.history[users.cpu().numpy()] @ self.weights
        dense = scores.toarray() if self.is_sparse else scores
        return torch.from_numpy(np.ascontiguousarray(dense)).to(users.device)

    def of(self, history: sp.csr_matrix) -> Self:
        """The same weights on other people's histories (B, N)."""
        return type(self)(history, self.weights)

    def restrict(self, candidates: Tensor) -> Self:
        """The columns `candidates` alone."""
        return type(self)(self.history, self.weights[:, candidates.cpu().numpy()])

    def similarities(self, items: Tensor) -> Tensor:
        """An item is what each other item says about it, a column of W: cosines (B, N')."""
        columns: Any = self.weights.T
        if self.is_sparse:
            return sparse_cosines(columns.tocsr(), items)
        return cosines(torch.from_numpy(columns), items)

    def tensors(self) -> dict[str, Tensor]:
        """CSR arrays of the history and, dense or CSR, the weights."""
        tensors = csr_tensors("history", self.history)
        if self.is_sparse:
            return tensors | csr_tensors("weights", self.weights)
        return tensors | {"weights": torch.from_numpy(self.weights)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """From what `tensors` gave."""
        dense = tensors.get("weights")
        return cls(
            csr_from("history", tensors),
            dense if dense is not None else csr_from("weights", tensors),
        )


def csr_tensors(name: str, matrix: sp.csr_matrix) -> dict[str, Tensor]:
    """The arrays of a CSR matrix as tensors `name.values`, …"""
    arrays = {
        "starts": matrix.indptr.astype(np.int64),
        "columns": matrix.indices.astype(np.int64),
        "values": matrix.data,
        "shape": np.asarray(matrix.shape, dtype=np.int64),
    }
    return {f"{name}.{part}": torch.from_numpy(array) for part, array in arrays.items()}


def csr_from(name: str, tensors: Mapping[str, Tensor]) -> sp.csr_matrix:
    """The CSR matrix that `csr_tensors` took apart."""
    parts = {p: tensors[f"{name}.{p}"].numpy() for p in ("values", "columns", "starts", "shape")}
    shape = tuple(int(n) for n in parts["shape"])
    return sp.csr_matrix((parts["values"], parts["columns"], parts["starts"]), shape=shape)
