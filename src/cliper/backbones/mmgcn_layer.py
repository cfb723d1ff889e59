"""A layer of MMGCN, with a backward pass by hand.

All nodes pass through it in every step, so that a pass over memory costs nearly as much as a
product. Autograd's own backward makes a pass for every sum, and keeps what it does not need.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from cliper.backbones.base import projection
from cliper.dense import matmul
from cliper.graphs import SparseGraph
from cliper.graphs.sparse import product

SLOPE = 0.01  # of LeakyReLU


class Layer(nn.Module):
    """W₁, W₂ and W₃ of one layer and modality: nodes (n, d) to nodes (n, d)."""

    def __init__(self, width: int, combination: str, generator: torch.Generator) -> None:
        super().__init__()
        self.aggregate = projection(width, width, generator)
        self.own = projection(width, width, generator)
        # W₃ [h ‖ x̂] is the sum of two products: nothing needs to be concatenated.
        self.join = projection(width, width, generator)
        self.join_own = (
            projection(width, width, generator) if combination == "concatenate" else nn.Identity()
        )

    def forward(self, x: Tensor, mean: SparseGraph, ids: Tensor, rows: Tensor | None) -> Tensor:
        """The layer's output for all nodes (n, d), or for `rows` (b,) of them: (b, d).

        Args:
            x: the nodes (n, d).
            mean: takes each node's mean over its neighbours.
            ids: the nodes' ID embeddings (n, d).
            rows: the nodes that are wanted.
        """
        weights = [self.aggregate.weight, self.own.weight, self.join.weight]
        if isinstance(self.join_own, nn.Linear):
            weights.append(self.join_own.weight)
        return cast(Tensor, _Layer.apply(mean, rows, x, ids, *weights))  # type: ignore[no-untyped-call]

    def alone(self, x: Tensor) -> Tensor:
        """The output for nodes that have neither neighbours nor a trained ID: (n, d)."""
        return leaky_relu(self.join_own(leaky_relu(self.own(x), SLOPE)), SLOPE)


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        mean: SparseGraph,
        rows: Tensor | None,
        x: Tensor,
        ids: Tensor,
        w1: Tensor,
        w2: Tensor,
        w3: Tensor,
        w3_own: Tensor | None = None,
    ) -> Tensor:
        gathered = product(mean.tensor, x)
        if rows is not None:  # W₁ commutes with the mean, so that only these rows go through it
            x, gathered, ids = (t.index_select(0, rows) for t in (x, gathered, ids))
        h = leaky_relu(matmul(gathered, w1.T), SLOPE, inplace=True)
        own = leaky_relu(matmul(x, w2.T), SLOPE, inplace=True)
        with_id = own + ids
        y = matmul(h, w3.T)
        y += with_id if w3_own is None else matmul(with_id, w3_own.T)
        leaky_relu(y, SLOPE, inplace=True)
        ctx.save_for_backward(rows, x, gathered, h, own, with_id, y, w1, w2, w3, w3_own)  # type: ignore[arg-type]
        ctx.mean = mean  # type: ignore[attr-defined]
        return y

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        rows, x, gathered, h, own, with_id, y, w1, w2, w3, w3_own = ctx.saved_tensors  # type: ignore[attr-defined]
        mean: SparseGraph = ctx.mean  # type: ignore[attr-defined]
        by_y = _through(gradient, y)
        turned = by_y.T.contiguous()  # once for two products
        by_w3 = matmul(turned, h)
        by_h = matmul(by_y, w3)
        by_h = _through(by_h, h, out=by_h)
        by_w1 = matmul(by_h.T, gathered)
        by_gathered = matmul(by_h, w1)
        by_w3_own, by_id = None, by_y
        if w3_own is not None:
            by_w3_own, by_id = matmul(turned, with_id), matmul(by_y, w3_own)
        by_own = _through(by_id, own)
        by_w2 = matmul(by_own.T, x)
        by_x = matmul(by_own, w2)
        back = mean.transposed
        assert back is not None
        if rows is None:
            torch.addmm(by_x, back.tensor, by_gathered, out=by_x)
        else:
            n = mean.shape[0]
            every = by_x.new_zeros(n, by_gathered.shape[1]).index_add_(0, rows, by_gathered)
            by_x = product(back.tensor, every).index_add_(0, rows, by_x)
            by_id = every.zero_().index_add_(0, rows, by_id)
        return None, None, by_x, by_id, by_w1, by_w2, by_w3, by_w3_own


def _through(gradient: Tensor, result: Tensor, out: Tensor | None = None) -> Tensor:
    """The gradient before a LeakyReLU from the one after it, by the sign of its result."""
    out = torch.empty_like(result) if out is None else out
    torch.ops.aten.leaky_relu_backward(gradient, result, SLOPE, True, grad_input=out)
    return out
