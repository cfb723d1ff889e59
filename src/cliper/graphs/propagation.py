"""LightGCN's propagation, in as few passes over memory as it has sparse products."""

from typing import cast

import torch
from torch import Tensor

from cliper.graphs.sparse import SparseGraph

SHARE = 0.5
"""Of more nodes than this share, asking for rows costs more than it spares."""


def layer_mean(graph: SparseGraph, x: Tensor, n_layers: int, rows: Tensor | None = None) -> Tensor:
    """1/(K+1) Σ_{k=0..K} Aᵏ x for a symmetric A (LightGCN, Eq. 8 and 10 with equal weights).

    By Horner's rule y ← x + A y, so that each layer is one fused product-and-add; the mean's
    factor rides on the last one. A polynomial in a symmetric A is its own adjoint: the backward
    pass is this very function, applied to the gradient.

    Where rows are asked for, the last product makes these alone, and the first one of the backward
    pass reads these alone: a batch touches few nodes of a large graph (ADR 47).

    Args:
        graph: symmetric (n, n).
        x: (n, d).
        n_layers: K ≥ 0.
        rows: int (b,), which rows of the result are wanted, in any order, repeats allowed; None for
            all n.

    >>> import scipy.sparse as sp
    >>> graph = SparseGraph(sp.eye(2, format="csr"), symmetric=True)
    >>> layer_mean(graph, torch.ones(2, 1), n_layers=3).flatten().tolist()
    [1.0, 1.0]
    """
    if graph.transposed is not None:
        raise ValueError("layer_mean needs a symmetric graph")
    if rows is None:
        return cast(Tensor, _LayerMean.apply(graph.tensor, x, n_layers))  # type: ignore[no-untyped-call]
    asked = torch.zeros(len(x), dtype=torch.bool, device=x.device).index_fill_(0, rows, True)
    distinct = asked.nonzero().squeeze(1)
    if n_layers == 0 or len(distinct) > SHARE * len(x):
        return layer_mean(graph, x, n_layers).index_select(0, rows)
    place = asked.cumsum(0).sub_(1).index_select(0, rows)
    found: Tensor = _SomeRows.apply(graph, x, n_layers, asked, distinct)  # type: ignore[no-untyped-call]
    return found.index_select(0, place)


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


class _SomeRows(torch.autograd.Function):
    """The same for distinct rows (b,); `asked` (n,) says of each node whether it is one."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        graph: SparseGraph,
        x: Tensor,
        n_layers: int,
        asked: Tensor,
        distinct: Tensor,
    ) -> Tensor:
        ctx.graph, ctx.n_layers = graph, n_layers  # type: ignore[attr-defined]
        ctx.save_for_backward(asked, distinct)
        y, scale = x, 1 / (n_layers + 1)
        for _ in range(n_layers - 1):
            y = torch.addmm(x, graph.tensor, y)
        last = graph.with_rows(distinct)
        return torch.addmm(x.index_select(0, distinct), last, y, beta=scale, alpha=scale)

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[None, Tensor, None, None, None]:
        asked, distinct = ctx.saved_tensors  # type: ignore[attr-defined]
        graph, n_layers = ctx.graph, ctx.n_layers  # type: ignore[attr-defined]
        whole = gradient.new_zeros(len(asked), gradient.shape[1])
        whole.index_copy_(0, distinct, gradient.contiguous())
        matrix, y = graph.with_columns(asked), whole
        for layer in range(n_layers):
            scale = 1 / (n_layers + 1) if layer == n_layers - 1 else 1.0
            y = torch.addmm(whole, matrix, y, beta=scale, alpha=scale)
            matrix = graph.tensor
        return None, y, None, None, None
