"""Losses against PyTorch's own and numerical gradients."""

import pytest
import torch
from torch.nn import functional

from cliper.losses import info_nce


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_info_nce_is_the_cross_entropy_of_the_cosines(temperature: float) -> None:
    found, expected = [], []
    for results in (found, expected):
        generator = torch.Generator().manual_seed(0)
        left, right = (torch.randn(7, 4, generator=generator) for _ in range(2))
        left[2] = 0  # a zero row is harmless
        left.requires_grad_(), right.requires_grad_()
        if results is found:
            loss = info_nce(left, right, temperature)
        else:
            cosines = functional.normalize(left, dim=1) @ functional.normalize(right, dim=1).T
            loss = functional.cross_entropy(cosines / temperature, torch.arange(7))
        (3 * loss).backward()
        results += [loss.detach(), left.grad, right.grad]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_info_nce_gradient_numerically() -> None:
    generator = torch.Generator().manual_seed(1)
    rows = [
        torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(2)
    ]
    assert torch.autograd.gradcheck(lambda a, b: info_nce(a, b, 0.3), rows)


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_info_nce_of_distinct_rows_is_that_of_all(temperature: float) -> None:
    place = torch.tensor([2, 0, 0, 3, 2, 2])
    found, expected = [], []
    for results in (found, expected):
        generator = torch.Generator().manual_seed(0)
        left, right = (torch.randn(n, 4, generator=generator).requires_grad_() for n in (6, 5))
        if results is found:
            loss = info_nce(left, right, temperature, place)
        else:
            rows = functional.normalize(right, dim=1)[place]
            cosines = functional.normalize(left, dim=1) @ rows.T
            loss = functional.cross_entropy(cosines / temperature, torch.arange(6))
        (3 * loss).backward()
        results += [loss.detach(), left.grad, right.grad]
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_info_nce_gradient_of_distinct_rows_numerically() -> None:
    generator = torch.Generator().manual_seed(1)
    left, right = (
        torch.randn(n, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        for n in (6, 4)
    )
    place = torch.tensor([2, 0, 0, 3, 2, 2])
    assert torch.autograd.gradcheck(lambda a, b: info_nce(a, b, 0.3, place), (left, right))
