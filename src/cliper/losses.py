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


def info_nce(
    anchor: Tensor, positive: Tensor, temperature: float, place: Tensor | None = None
) -> Tensor:
    """In-batch InfoNCE: each anchor's positive is its own row, the others are negatives.

    Args:
        anchor: (B, d), normalised here.
        positive: (B, d), normalised here; with `place` its distinct rows alone, (n, d).
        temperature: τ > 0 that divides the cosines.
        place: int (B,), where each anchor's positive is among the distinct rows. The value is that
            of `info_nce(anchor, positive[place], temperature)`: a row that several anchors share is
            a negative as often, and is multiplied with but once.

    >>> round(float(info_nce(torch.eye(2), torch.eye(2), temperature=1.0)), 4)
    0.3133
    """
    left = functional.normalize(anchor, dim=1) / temperature
    right = functional.normalize(positive, dim=1)
    if place is None:
        place = torch.arange(len(right), device=right.device)
    return cast(Tensor, _InBatch.apply(left, right, place))  # type: ignore[no-untyped-call]


class _InBatch(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, left: Tensor, right: Tensor, place: Tensor
    ) -> Tensor:
        logits = matmul(left, right.T)
        own, top = logits.gather(1, place[:, None])[:, 0], logits.amax(dim=1)
        weights = logits.sub_(top[:, None]).exp_()
        times = torch.bincount(place, minlength=len(right)).to(right)
        total = weights @ times
        ctx.save_for_backward(left, right, place, weights, times, total)
        return (total.log() + top - own).mean()

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, Tensor, None]:
        left, right, place, weights, times, total = ctx.saved_tensors  # type: ignore[attr-defined]
        # The softmax's numbers scale rows (n, d), never the (B, n) weights.
        share = gradient / len(left)
        scale = (share / total)[:, None]
        by_left = matmul(weights, right * times[:, None]) * scale
        by_left -= right.index_select(0, place) * share
        by_right = matmul(weights.T, left * scale) * times[:, None]
        return by_left, by_right.index_add_(0, place, left * -share), None
