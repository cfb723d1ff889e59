"""`FeatureTable`: rows, the MLP fusion, and the fast difference against the plain one."""

import pytest
import torch

from cliper.representation import FeatureTable


@pytest.mark.parametrize("mlp_width", [None, 3])
@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("rows", [4, 40])
def test_difference_equals_the_plain_expression(
    mlp_width: int | None, trainable: bool, rows: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(9, 5, generator=generator)
    left, right = torch.randint(9, (2, rows), generator=generator)
    weight = torch.randn(rows, mlp_width or 5, generator=generator)
    outcomes = []
    for fast in (True, False):
        table = FeatureTable(
            values,
            trainable=trainable,
            mlp_width=mlp_width,
            generator=torch.Generator().manual_seed(1),
        )
        result = table.difference(left, right) if fast else table(left) - table(right)
        if result.requires_grad:
            (result * weight).sum().backward()
        outcomes.append([result.detach(), *(p.grad for p in table.parameters())])
    assert len(outcomes[0]) == len(outcomes[1])
    for a, b in zip(*outcomes, strict=True):
        torch.testing.assert_close(a, b)


def test_mlp_is_leaky_relu_of_one_linear_layer() -> None:
    table = FeatureTable(torch.randn(6, 4), mlp_width=2)
    assert table.mlp is not None and table.width == 2
    linear = table.table @ table.mlp.weight.T + table.mlp.bias
    expected = torch.where(linear > 0, linear, 0.01 * linear)
    torch.testing.assert_close(table(), expected)
    torch.testing.assert_close(table(torch.tensor([5, 0])), expected[[5, 0]])
    torch.testing.assert_close(table(torch.arange(6).repeat(3)), expected.repeat(3, 1))


def test_the_gradient_of_a_difference_numerically() -> None:
    rows = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    table = FeatureTable(rows, trainable=True)
    left, right = torch.tensor([0, 2, 2, 1, 3]), torch.tensor([1, 2, 0, 1, 0])

    def difference(trained: torch.Tensor) -> torch.Tensor:
        return table.difference(left, right)

    assert torch.autograd.gradcheck(difference, table.table)
