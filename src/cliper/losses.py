"""Losses as pure functions of scores and representations."""

import torch
from torch import Tensor
from torch.nn import functional


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
    left, right = functional.normalize(anchor, dim=1), functional.normalize(positive, dim=1)
    target = torch.arange(len(left), device=left.device)
    return functional.cross_entropy(left @ right.T / temperature, target)
