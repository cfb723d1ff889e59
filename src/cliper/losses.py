"""Losses as pure functions of scores and representations."""

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from cliper.dense import matmul


def bpr(positive: Tensor, negative: Tensor) -> Tensor:
    """Bayesian personalised ranking: −mean log σ(ŷ⁺ − ŷ⁻) (Rendle et al., UAI 2009).

    Args:
        positive: scores (B,).
        negative: scores (B,).

    >>> round(float(bpr(torch.zeros(4), torch.zeros(4))), 4)
    0.6931
    """
    return -functional.logsigmoid(positive - negative).mean()


def dot(left: Tensor, right: Tensor) -> Tensor:
    """Row-wise inner products of (B, d) and (B, d): (B,)."""
    return (left * right).sum(dim=-1)


def squared_norm(*rows: Tensor) -> Tensor:
    """½ Σ ‖rows‖² / B, the L2 penalty on a batch's own rows (LightGCN, Eq. 15).

    >>> float(squared_norm(torch.ones(2, 3)))
    1.5
    """
    total = torch.stack([row.pow(2).sum() for row in rows]).sum()
    return total / (2 * len(rows[0]))


def info_nce(anchor: Tensor, positive: Tensor, temperature: float) -> Tensor:
    """In-batch InfoNCE: each anchor's positive is its own row, the others are negatives.

    Args:
        anchor, positive: (B, d), normalised here.
        temperature: τ > 0 that divides the cosines.

    >>> round(float(info_nce(torch.eye(2), torch.eye(2), temperature=1.0)), 4)
    0.3133
    """
    left = functional.normalize(anchor, dim=1) / temperature
    right = functional.normalize(positive, dim=1)
    return cast(Tensor, _InBatch.apply(left, right))  # type: ignore[no-untyped-call]


class _InBatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, left: Tensor, right: Tensor) -> Tensor:
        logits = matmul(left, right.T)
        own, top = logits.diagonal().clone(), logits.amax(dim=1, keepdim=True)
        weights = logits.sub_(top).exp_()
        total = weights.sum(dim=1, keepdim=True)
        ctx.save_for_backward(left, right, weights, total)
        return ((total.log() + top)[:, 0] - own).mean()

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, Tensor]:
        left, right, weights, total = ctx.saved_tensors  # type: ignore[attr-defined]
        # The softmax's denominator scales rows (n, d), never the (n, n) weights.
        share = gradient / len(left)
        scale = share / total
        by_left = matmul(weights, right) * scale - right * share
        return by_left, matmul(weights.T, left * scale) - left * share
