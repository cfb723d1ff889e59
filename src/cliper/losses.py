"""Losses as pure functions of scores and representations.

**What an `l2` means.** In every backbone that trains, a penalty is

    λ · (1/B) Σ_triples ½ ‖what the triple uses‖²

over the B triples of a batch: the rows of its user and its items (`squared_norm`), and the weights
that all triples share, such as a map of features (`shared_norm`). A row that a batch holds n times
is pulled by λ n/B times itself, whatever the width and the batch size. Papers and toolboxes print
the λ of other formulas; X are the batch's rows of one table, (B, w), the sums are over such tables,
and λ here is, for the same gradient:

| printed | λ here |
|---|---|
| λ Σ½‖X‖² / B (LightGCN) | λ |
| λ Σ‖X‖² / B, without the ½ | 2 λ |
| λ Σ½‖X‖², not divided by B | B λ |
| λ Σ‖X‖², neither | 2 B λ |
| λ Σ mean(X²), over elements (MMGCN, DualGNN) | 2 λ / w |
| λ Σ‖X‖ / B, a table's norm not squared | λ / ‖X‖, about λ / (√B r), r the length of a row |
| λ ΣΣ_b ‖X_b‖ / B, the rows' norms not squared | λ / r |
| θ ← θ + η (… − λ θ), SGD by triple (BPR) | λ |
| θ ← θ + η (… − 2 λ θ), SGD by triple | 2 λ |
| λ ‖Θ‖² beside a sum over all pairs | 2 λ / n, n how often a row occurs in the training pairs |
| weight decay λ of Adam, on whole tables | λ S / n, with S pairs in training (a batch: λ B / n) |

The two norms that are not squared pull a row with a force that does not grow with it: one λ here
equals them at one length only. `training.weight_decay` is Adam's own, and adds to `l2`.
"""

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

    Args:
        rows: of any number of tables, (B, w) each: B is the number of triples.

    >>> float(squared_norm(torch.ones(2, 3)))
    1.5
    """
    total = torch.stack([row.pow(2).sum() for row in rows]).sum()
    return total / (2 * len(rows[0]))


def shared_norm(*weights: Tensor) -> Tensor:
    """½ Σ ‖W‖² of weights that every triple of a batch uses: the mean over triples is the whole.

    >>> float(shared_norm(torch.ones(2, 3), torch.ones(2)))
    4.0
    """
    return torch.stack([w.pow(2).sum() for w in weights]).sum() / 2


def info_nce(
    anchor: Tensor,
    positive: Tensor,
    temperature: float,
    place: Tensor | None = None,
    probability: Tensor | None = None,
) -> Tensor:
    """In-batch InfoNCE: each anchor's positive is its own row, the others are negatives.

    Args:
        anchor: (B, d), normalised here.
        positive: (B, d), normalised here; with `place` its distinct rows alone, (n, d).
        temperature: τ > 0 that divides the cosines.
        place: int (B,), where each anchor's positive is among the distinct rows. The value is that
            of `info_nce(anchor, positive[place], temperature)`: a row that several anchors share is
            a negative as often, and is multiplied with but once.
        probability: float, of each row of `positive`, that a draw for the batch is this row. Rows
            then count for one over their expected number in the batch, which makes the sum over
            the batch an estimate of the sum over all there are (Yi et al., "Sampling-bias-corrected
            neural modeling for large corpus item recommendations", RecSys 2019, but for log q_i of
            the anchor's own row, which has no gradient). Without it a row that is drawn often is a
            negative as often, and the loss is least where a cosine leaves popularity out.

    >>> round(float(info_nce(torch.eye(2), torch.eye(2), temperature=1.0)), 4)
    0.3133
    """
    left = functional.normalize(anchor, dim=1) / temperature
    right = functional.normalize(positive, dim=1)
    if place is None:
        place = torch.arange(len(right), device=right.device)
    times = torch.bincount(place, minlength=len(right)).to(right)
    if probability is not None:
        times = times / (len(left) * probability)
    return cast(Tensor, _InBatch.apply(left, right, place, times))  # type: ignore[no-untyped-call]


class _InBatch(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        left: Tensor,
        right: Tensor,
        place: Tensor,
        times: Tensor,
    ) -> Tensor:
        logits = matmul(left, right.T)
        own, top = logits.gather(1, place[:, None])[:, 0], logits.amax(dim=1)
        weights = logits.sub_(top[:, None]).exp_()
        total = weights @ times
        ctx.save_for_backward(left, right, place, weights, times, total)
        return (total.log() + top - own).mean()

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        left, right, place, weights, times, total = ctx.saved_tensors  # type: ignore[attr-defined]
        # The softmax's numbers scale rows (n, d), never the (B, n) weights.
        share = gradient / len(left)
        scale = (share / total)[:, None]
        by_left = matmul(weights, right * times[:, None]) * scale
        by_left -= right.index_select(0, place) * share
        by_right = matmul(weights.T, left * scale) * times[:, None]
        return by_left, by_right.index_add_(0, place, left * -share), None, None
