"""InfoNCE over several views against cross entropies written out as loops."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from cliper.encoders.contrastive import info_nce


def test_info_nce_is_the_mean_of_both_cross_entropies() -> None:
    generator = torch.Generator().manual_seed(0)
    text, image = (torch.randn(s, generator=generator) for s in ((2, 5, 4), (5, 4)))
    log_scale = torch.tensor(1.5)
    expected = []
    for view in text:
        logits = log_scale.exp() * normalize(view, dim=1) @ normalize(image, dim=1).T
        target = torch.arange(5)
        expected += [cross_entropy(logits, target), cross_entropy(logits.T, target)]
    present, group = torch.ones(2, 5, dtype=torch.bool), torch.arange(5).expand(2, 5)
    got = info_nce(text, image, present, group, log_scale)
    torch.testing.assert_close(got, torch.stack(expected).mean())


def test_absent_views_and_equal_texts_are_no_negatives() -> None:
    generator = torch.Generator().manual_seed(1)
    text, image = (torch.randn(s, generator=generator) for s in ((1, 4, 3), (4, 3)))
    scale = torch.tensor(1.0)
    everyone, apart = torch.ones(1, 4, dtype=torch.bool), torch.arange(4)[None]
    without_last = torch.tensor([[True, True, True, False]])
    torch.testing.assert_close(
        info_nce(text, image, without_last, apart, scale),
        info_nce(text[:, :3], image[:3], everyone[:, :3], apart[:, :3], scale),
    )
    same = torch.tensor([[0, 0, 0, 0]])  # all say the same: there is nothing to tell apart
    assert float(info_nce(text, image, everyone, same, scale)) == pytest.approx(0, abs=1e-6)


def by_loops(
    text: torch.Tensor, image: torch.Tensor, present: torch.Tensor, group: torch.Tensor,
    image_group: torch.Tensor, scale: float,
) -> float:  # fmt: skip
    """One query at a time, over the candidates that are wrong answers and the right one."""
    cosine = torch.einsum("cbd,nd->cbn", normalize(text, dim=-1), normalize(image, dim=-1))
    losses = []
    for c in range(len(text)):
        there = [i for i in range(len(image)) if present[c, i]]
        for i in there:
            wrong = [
                j for j in there
                if group[c, i] != group[c, j] and image_group[i] != image_group[j]
            ]  # fmt: skip
            both = cosine[c, i, [i, *wrong]], cosine[c, [i, *wrong], i]
            losses += [cross_entropy(scale * one[None], torch.tensor([0])) for one in both]
    return float(torch.stack(losses).mean())


def test_duplicates_and_gaps_equal_the_loops() -> None:
    generator = torch.Generator().manual_seed(5)
    text, image = (torch.randn(s, generator=generator) for s in ((3, 9, 6), (9, 6)))
    present = torch.rand(3, 9, generator=generator) > 0.3
    group = torch.randint(0, 5, (3, 9), generator=generator)
    image_group = torch.randint(0, 6, (9,), generator=generator)
    got = info_nce(text, image, present, group, torch.tensor(1.2), image_group)
    expected = by_loops(text, image, present, group, image_group, math.exp(1.2))
    assert float(got) == pytest.approx(expected, rel=1e-5)


def test_gradient_numerically() -> None:
    generator = torch.Generator().manual_seed(6)
    text, image = (
        torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True)
        for s in ((2, 5, 3), (5, 3))
    )
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    present = torch.rand(2, 5, generator=generator) > 0.2
    group = torch.randint(0, 4, (2, 5), generator=generator)
    pictures = torch.tensor([0, 1, 1, 2, 3])
    assert torch.autograd.gradcheck(
        lambda t, i, s: info_nce(t, i, present, group, s, pictures), (text, image, scale)
    )
