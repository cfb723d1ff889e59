"""Losses against PyTorch's own and numerical gradients."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cliper.losses import info_nce, shared_norm, squared_norm

PRINTED = 0.3  # λ as a paper or a toolbox prints it
B, W = 6, 4


def pulls(penalty: Callable[..., Tensor], *tables: Tensor) -> list[Tensor]:
    """The gradients of a penalty on copies of these tables."""
    own = [table.clone().requires_grad_() for table in tables]
    return list(torch.autograd.grad(penalty(*own), own))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def of_length(r: float, *shape: int, seed: int = 0) -> Tensor:
    return r * functional.normalize(drawn(*shape, seed=seed), dim=1)


# The table in the docstring of cliper.losses: what is printed, and its λ there.
CONVERSIONS: dict[str, tuple[Callable[..., Tensor], float]] = {
    "half the squares over B": (lambda *x: sum(t.pow(2).sum() for t in x) / 2 / B, PRINTED),
    "squares over B": (lambda *x: sum(t.pow(2).sum() for t in x) / B, 2 * PRINTED),
    "half the squares": (lambda *x: sum(t.pow(2).sum() for t in x) / 2, B * PRINTED),
    "squares": (lambda *x: sum(t.pow(2).sum() for t in x), 2 * B * PRINTED),
    "means over elements": (lambda *x: sum(t.pow(2).mean() for t in x), 2 * PRINTED / W),
    "a table's norm": (lambda *x: sum(t.norm() for t in x) / B, PRINTED / (B**0.5 * 1.7)),
    "the rows' norms": (lambda *x: sum(t.norm(dim=1).sum() for t in x) / B, PRINTED / 1.7),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_l2_pulls_as_the_printed_penalty_does(name: str) -> None:
    printed, ours = CONVERSIONS[name]
    tables = [of_length(1.7, B, W, seed=seed) for seed in range(3)]  # r = 1.7
    expected = pulls(lambda *x: PRINTED * printed(*x), *tables)
    found = pulls(lambda *x: ours * squared_norm(*x), *tables)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("decay", "ours"), [(PRINTED, PRINTED), (2 * PRINTED, 2 * PRINTED)])
def test_l2_of_a_decay_by_triples(decay: float, ours: float) -> None:
    """θ loses η · decay · θ for each triple it is in; η B times a batch's mean is the same."""
    table, users = drawn(3, W), torch.tensor([0, 2, 2, 1, 2, 0])
    rate, expected = 1e-7, table.clone()
    for user in users.tolist():
        expected[user] -= rate * decay * expected[user]
    (pull,) = pulls(lambda x: ours * squared_norm(x[users]), table)
    found = table - rate * B * pull
    torch.testing.assert_close((found - table) / rate, (expected - table) / rate, rtol=1e-5, atol=0)


def test_l2_of_a_penalty_beside_a_sum_over_all_pairs() -> None:
    """(λ ‖Θ‖² + Σ_pairs) / S against a batch of all S pairs, each row in it n times."""
    table, n = drawn(3, W), 4
    users = torch.arange(3).repeat(n)
    expected = pulls(lambda x: PRINTED * x.pow(2).sum() / len(users), table)
    found = pulls(lambda x: 2 * PRINTED / n * squared_norm(x[users]), table)
    torch.testing.assert_close(found, expected)


def test_l2_of_the_weight_decay_of_adam() -> None:
    """Decay alone, as PyTorch's SGD has it too (Adam adds the same to the gradient)."""
    table, n = torch.nn.Parameter(drawn(3, W)), 2
    before, users = table.detach().clone(), torch.arange(3).repeat(n)
    optimizer = torch.optim.SGD([table], lr=1.0, weight_decay=PRINTED)
    table.grad = torch.zeros_like(table)
    optimizer.step()
    (pull,) = pulls(lambda x: PRINTED * len(users) / n * squared_norm(x[users]), before)
    torch.testing.assert_close(before - pull, table.detach())


def test_a_shared_weight_counts_as_if_every_triple_had_a_copy() -> None:
    weight = drawn(W, 2)
    copies = weight.flatten().repeat(B, 1)
    torch.testing.assert_close(shared_norm(weight), squared_norm(copies))


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


def test_info_nce_with_probabilities_has_the_gradient_of_log_q_corrected_logits() -> None:
    place, probability = torch.tensor([2, 0, 0, 3, 2, 2]), torch.tensor([0.3, 0.1, 0.5, 0.1])
    found, expected = [], []
    for results in (found, expected):
        generator = torch.Generator().manual_seed(0)
        left, right = (torch.randn(n, 4, generator=generator).requires_grad_() for n in (6, 4))
        if results is found:
            loss = info_nce(left, right, 0.4, place, probability)
        else:
            rows = functional.normalize(right, dim=1)[place]
            logits = functional.normalize(left, dim=1) @ rows.T / 0.4 - probability[place].log()
            loss = functional.cross_entropy(logits, torch.arange(6))
            loss = loss - probability[place].log().mean() - math.log(6)
        loss.backward()
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
