"""LightGCN's propagation, in as few passes over memory as it has sparse products."""

from typing import cast

import torch
from torch import Tensor

from cliper.graphs.sparse import SparseGraph


def layer_mean(graph: SparseGraph, x: Tensor, n_layers: int) -> Tensor:
    """1/(K+1) Σ_{k=0..K} Aᵏ x for a symmetric A (LightGCN, Eq. 8 and 10 with equal weights).

    By Horner's rule y ← x + A y, so that each layer is one fused product-and-add; the mean's
    factor rides on the last one. A polynomial in a symmetric A is its own adjoint: the backward
    pass is this very function, applied to the gradient.

    Args:
        graph: symmetric (n, n).
        x: (n, d).
        n_layers: K ≥ 0.

    >>> import scipy.sparse as sp
    >>> graph = SparseGraph(sp.eye(2, format="csr"), symmetric=True)
    >>> layer_mean(graph, torch.ones(2, 1), n_layers=3).flatten().tolist()
    [1.0, 1.0]
    """
    if graph.transposed is not None:
        raise ValueError("layer_mean needs a symmetric graph")
    return cast(Tensor, _LayerMean.apply(graph.tensor, x, n_layers))  # type: ignore[no-untyped-call]


def _horner(matrix: Tensor, x: Tensor, n_layers: int) -> Tensor:
    y = x
    for layer in range(n_layers):
        scale = 1.0 / (n_layers + 1) if layer == n_layers - 1 else 1.0
        y = torch.addmm(x, matrix, y, beta=scale, alpha=scale)
    return y


class _LayerMean(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, matrix: Tensor, x: Tensor, n_layers: int
    ) -> Tensor:
        ctx.matrix, ctx.n_layers = matrix, n_layers  # type: ignore[attr-defined]
        return _horner(matrix, x, n_layers)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[None, Tensor, None]:
        result = _horner(ctx.matrix, gradient.contiguous(), ctx.n_layers)  # type: ignore[attr-defined]
        return None, result, None
