"""How alike items are by their content: kernels (Rasmussen and Williams, "Gaussian Processes for
Machine Learning", 2006, Chapter 4) between items and landmarks, one for each way of being alike."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize

from cliper.data import ItemFields
from cliper.representation.features import ItemFeatures
from cliper.types import BoolArray, IndexArray

FEATURE_SHARPNESS, TOKEN_SHARPNESS = 6.0, 3.0


class ContentKernels:
    """V kernels over N items. Each is at most 1, and the same for all where nothing is known.

    In this order: the constant 1; of each modality the cosine c of the items' rows, and
    exp(6 (c − 1)); of each field the cosine of its tokens, weighted by idf; with f the cosine of
    all fields together, exp(3 (f − 1)), and exp(6 (c − 1)) · f for the modality that comes last.

    Args:
        features: None where there are none.
        fields: tokens of the items.
        warm: bool (N,), the items whose tokens idf is counted in: it must not change when items
            are added.
    """

    def __init__(self, features: ItemFeatures | None, fields: ItemFields, warm: BoolArray) -> None:
        tables = () if features is None else [features.tables[m] for m in features.modalities]
        self.dense = [normalize(table.float(), dim=1).numpy() for table in tables]
        shares = _weighted(fields.matrix, warm)
        self.fields = [_unit(shares[:, fields.columns(name)]) for name in fields.names]
        self.all_fields = _unit(sp.hstack(self.fields, format="csr")) if self.fields else None
        self.n_items = fields.matrix.shape[0]

    def between(self, rows: IndexArray, others: IndexArray) -> Iterator[Tensor]:
        """The V kernels of some items and others, each float32 (n, m)."""
        yield torch.ones(len(rows), len(others))
        sharp = None
        for table in self.dense:
            cosine = torch.from_numpy(table[rows] @ table[others].T)
            sharp = torch.exp(FEATURE_SHARPNESS * (cosine - 1))
            yield cosine
            yield sharp
        for tokens in self.fields:
            yield _products(tokens, rows, others)
        if self.all_fields is not None:
            alike = _products(self.all_fields, rows, others)
            yield torch.exp(TOKEN_SHARPNESS * (alike - 1))
            if sharp is not None:
                yield sharp * alike

    def summed(self, weights: Tensor, rows: IndexArray, others: IndexArray) -> Tensor:
        """Σ_v weight_v K_v of some items and others (n, m); one kernel in memory at a time."""
        total = torch.zeros(len(rows), len(others))
        for weight, kernel in zip(weights, self.between(rows, others), strict=True):
            total += weight * kernel
        return total


def _weighted(matrix: sp.csr_matrix, warm: BoolArray) -> sp.csr_matrix:
    """Tokens by log(n / n_t) over the n warm items; those that no warm item has are left out."""
    counts = np.asarray(matrix[np.flatnonzero(warm)].sum(axis=0)).ravel()
    known = counts > 0
    idf = np.zeros(len(counts), np.float32)
    idf[known] = np.log((1 + warm.sum()) / counts[known])
    return sp.csr_matrix(matrix.multiply(idf[None]))


def _unit(tokens: sp.csr_matrix) -> sp.csr_matrix:
    """Rows of length 1; empty ones stay empty."""
    lengths = np.sqrt(np.asarray(tokens.multiply(tokens).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags(1 / np.maximum(lengths, 1e-12), dtype=np.float32) @ tokens)


def _products(tokens: sp.csr_matrix, rows: IndexArray, others: IndexArray) -> Tensor:
    return torch.from_numpy((tokens[rows] @ tokens[others].T).toarray().astype(np.float32))
