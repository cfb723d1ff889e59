"""Cosines of some rows with all rows, dense or sparse, a few rows at a time."""

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize

from cliper.scoring.blocks import Columns


def cosines(vectors: Tensor, rows: Tensor) -> Tensor:
    """Cosines (B, N) of `rows` (B,) with all rows of vectors (N, d); a zero row has 0 with all.

    >>> cosines(torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([0])).tolist()
    [[1.0, 0.0]]
    """
    unit = normalize(vectors, dim=1)
    return Columns(unit).products(unit[rows.to(unit.device)])


def sparse_cosines(vectors: sp.csr_matrix, rows: Tensor) -> Tensor:
    """The same for a sparse matrix (N, any), which is never made dense."""
    lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    unit = sp.csr_matrix(sp.diags(scale) @ vectors)
    return torch.from_numpy((unit[rows.cpu().numpy()] @ unit.T).toarray().astype(np.float32))
