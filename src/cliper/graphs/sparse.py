"""Sparse matrices that a backbone multiplies with: CSR storage, gradients, device moves."""

import warnings
from typing import cast

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn


def product(matrix: Tensor, x: Tensor) -> Tensor:
    """A @ x of a CSR tensor (m, n) and x (n, d): (m, d).

    `matrix @ x` clears its result and copies it once more, which costs half as much as the product
    itself; `addmm` with beta = 0 (whatever its first argument holds is ignored) does neither.
    """
    out = x.new_empty(matrix.shape[0], x.shape[1])
    return torch.addmm(out, matrix, x, beta=0, out=out)


class SparseGraph(nn.Module):
    """A fixed sparse matrix A (n, m) with `A @ x` and its gradient `Aᵀ @ g`.

    The three CSR arrays are buffers, so the graph moves with its backbone. PyTorch's own backward
    of a CSR product transposes the matrix at every step; here a symmetric A is its own
    transpose and any other keeps Aᵀ beside it.

    Args:
        matrix: scipy sparse matrix, converted to float32 CSR with int32 indices.
        symmetric: the caller's word that A = Aᵀ.
        persistent: keep the graph in `state_dict` (when it cannot be built again from the data).

    >>> import scipy.sparse as sp
    >>> graph = SparseGraph(sp.eye(3, format="csr") * 2.0, symmetric=True)
    >>> graph(torch.ones(3, 1)).flatten().tolist()
    [2.0, 2.0, 2.0]
    """

    crow: Tensor
    col: Tensor
    value: Tensor

    def __init__(
        self, matrix: sp.spmatrix | sp.sparray, *, symmetric: bool, persistent: bool = False
    ) -> None:
        super().__init__()
        csr = sp.csr_matrix(matrix, dtype=np.float32)
        csr.sort_indices()
        # MKL's 32-bit kernels are the faster ones; no graph here has 2³¹ edges.
        self.shape: tuple[int, int] = (csr.shape[0], csr.shape[1])
        self.register_buffer("crow", torch.from_numpy(csr.indptr.astype(np.int32)), persistent)
        self.register_buffer("col", torch.from_numpy(csr.indices.astype(np.int32)), persistent)
        self.register_buffer("value", torch.from_numpy(csr.data), persistent)
        with warnings.catch_warnings():  # torch says once a process that CSR is in beta
            warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
            _ = self.tensor
        self.transposed: SparseGraph | None = None
        if not symmetric:
            self.transposed = SparseGraph(csr.T.tocsr(), symmetric=True)

    @property
    def tensor(self) -> Tensor:
        """The matrix as a torch sparse CSR tensor that shares the buffers."""
        return torch.sparse_csr_tensor(
            self.crow, self.col, self.value, self.shape, check_invariants=False
        )

    def with_rows(self, rows: Tensor) -> Tensor:
        """The CSR tensor A[rows] (b, m) of rows (b,)."""
        start = self.crow.index_select(0, rows).long()
        counts = self.crow.index_select(0, rows + 1) - start
        crow = nn.functional.pad(counts.cumsum(0), (1, 0))
        shift = torch.repeat_interleave(start - crow[:-1], counts)
        at = torch.arange(len(shift), device=shift.device).add_(shift)
        columns, values = self.col.index_select(0, at), self.value.index_select(0, at)
        shape = (len(rows), self.shape[1])
        return torch.sparse_csr_tensor(crow.int(), columns, values, shape, check_invariants=False)

    def with_columns(self, kept: Tensor) -> Tensor:
        """The CSR tensor (n, m) of A with the columns kept, bool (m,), and nothing elsewhere."""
        kept = kept.index_select(0, self.col)
        before = nn.functional.pad(kept.cumsum(0, dtype=torch.int32), (1, 0))
        crow = before.index_select(0, self.crow)
        columns, values = self.col[kept], self.value[kept]
        return torch.sparse_csr_tensor(crow, columns, values, self.shape, check_invariants=False)

    def forward(self, x: Tensor) -> Tensor:
        """`A @ x` for x (m, d): (n, d)."""
        transposed = (self.transposed or self).tensor
        return cast(Tensor, _Product.apply(self.tensor, transposed, x))  # type: ignore[no-untyped-call]


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, matrix: Tensor, transposed: Tensor, x: Tensor
    ) -> Tensor:
        ctx.transposed = transposed  # type: ignore[attr-defined]
        return product(matrix, x)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[None, None, Tensor]:
        return None, None, product(ctx.transposed, gradient.contiguous())  # type: ignore[attr-defined]
