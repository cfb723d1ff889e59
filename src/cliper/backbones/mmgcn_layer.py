"""A layer of MMGCN, with a backward pass by hand.

All nodes pass through it in every step, so that a pass over memory costs nearly as much as a
product. Autograd's own backward makes a pass for every sum, and keeps what it does not need.
"""

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from cliper.backbones.layers import projection
from cliper.dense import matmul
from cliper.graphs import SparseGraph
from cliper.graphs.sparse import product

SLOPE = 0.01  # of LeakyReLU
BLOCK = 4096  # nodes at a time


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
        *weights: Tensor,
    ) -> Tensor:
        gathered = product(mean.tensor, x)
        if rows is not None:  # W₁ commutes with the mean, so that only these rows go through it
            x, gathered, ids = (t.index_select(0, rows) for t in (x, gathered, ids))
        w1, w2, w3, *w3_own = weights
        y, kept = torch.empty_like(x), []
        for at in blocks(len(x)):
            h = leaky_relu(matmul(gathered[at], w1.T), SLOPE, inplace=True)
            own = leaky_relu(matmul(x[at], w2.T), SLOPE, inplace=True)
            with_id = own + ids[at]
            joined = matmul(with_id, w3_own[0].T) if w3_own else with_id
            leaky_relu(torch.add(matmul(h, w3.T), joined, out=y[at]), SLOPE, inplace=True)
            kept += [h, own, with_id]
        ctx.save_for_backward(x, gathered, y, *weights, *kept)
        ctx.mean, ctx.rows, ctx.n_weights = mean, rows, len(weights)  # type: ignore[attr-defined]
        return y

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        n_weights: int = ctx.n_weights  # type: ignore[attr-defined]
        x, gathered, y = saved[:3]
        w1, w2, w3, *w3_own = weights = saved[3 : 3 + n_weights]
        kept = iter(saved[3 + n_weights :])
        by_weights = [torch.zeros_like(w) for w in weights]
        by_x, by_gathered, by_id = (torch.empty_like(x) for _ in range(3))
        for at in blocks(len(x)):
            h, own, with_id = next(kept), next(kept), next(kept)
            by_y = before_leaky_relu(gradient[at], y[at])
            turned = by_y.T.contiguous()  # once for two products
            by_weights[2] += matmul(turned, h)
            if w3_own:
                by_weights[3] += matmul(turned, with_id)
            by_id[at] = matmul(by_y, w3_own[0]) if w3_own else by_y
            by_own = before_leaky_relu(by_id[at], own)
            by_weights[1] += matmul(by_own.T, x[at])
            by_x[at] = matmul(by_own, w2)
            by_h = before_leaky_relu(matmul(by_y, w3), h)
            by_weights[0] += matmul(by_h.T, gathered[at])
            by_gathered[at] = matmul(by_h, w1)
        mean: SparseGraph = ctx.mean  # type: ignore[attr-defined]
        rows: Tensor | None = ctx.rows  # type: ignore[attr-defined]
        back = mean.transposed
        assert back is not None
        if rows is None:
            torch.addmm(by_x, back.tensor, by_gathered, out=by_x)
        else:
            n = mean.shape[0]
            every = by_x.new_zeros(n, x.shape[1]).index_add_(0, rows, by_gathered)
            by_x = product(back.tensor, every).index_add_(0, rows, by_x)
            by_id = every.zero_().index_add_(0, rows, by_id)
        return None, None, by_x, by_id, *by_weights


def before_leaky_relu(gradient: Tensor, result: Tensor) -> Tensor:
    """The gradient before a LeakyReLU, from the one behind it and what LeakyReLU gave."""
    slopes = result.sign().clamp_min_(SLOPE)  # 1 or SLOPE; many times faster than `where`
    return slopes.mul_(gradient)


def blocks(rows: int) -> Iterator[slice]:
    """Rows in parts that stay in the cache from one product of a layer to the next."""
    for start in range(0, rows, BLOCK):
        yield slice(start, start + BLOCK)
