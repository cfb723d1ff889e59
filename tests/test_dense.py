"""Dense products against PyTorch's own, in every layout, and their gradients."""

import pytest
import torch
from torch import Tensor

import cliper.dense
from cliper.dense import Linear, faster_linears, linear, matmul


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=dtype)


def layouts(rows: int, columns: int) -> list[Tensor]:
    """A matrix row by row, column by column, and as a part of a wider or higher one."""
    return [
        random(rows, columns),
        random(columns, rows).T,
        random(rows, 2 * columns)[:, :columns],
        random(columns, 3 * rows)[:, :rows].T,
    ]


def test_the_pinned_torch_has_the_faster_product() -> None:
    if not cliper.dense._BOTH:
        pytest.skip("this CPU's PyTorch carries only one library")
    assert cliper.dense._by_onednn(random(400, 300), random(300, 100))
    assert not cliper.dense._by_onednn(random(4, 3), random(3, 2))
    assert not cliper.dense._by_onednn(random(400, 300).double(), random(300, 100).double())


@pytest.mark.parametrize(
    "shape", [(9000, 64, 64), (64, 9001, 64), (300, 300, 120), (65, 1500, 200)]
)
def test_products_of_every_layout(shape: tuple[int, int, int]) -> None:
    n, k, m = shape
    for a in layouts(n, k):
        for b in layouts(k, m):
            found = matmul(a, b)
            assert found.is_contiguous()
            expected = (a.double() @ b.double()).float()
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [3, 5000])
def test_linear_is_torchs(rows: int, bias: bool) -> None:
    ours, theirs = Linear(70, 40, bias=bias), torch.nn.Linear(70, 40, bias=bias)
    ours.load_state_dict(theirs.state_dict())
    results = []
    for layer in (ours, theirs):
        x = random(rows, 70).requires_grad_()
        y = layer(x)
        (y * random(rows, 40)).sum().backward()
        results.append([y.detach(), x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


def test_the_gradient_numerically(monkeypatch: pytest.MonkeyPatch) -> None:
    # In float64 the product is PyTorch's, the backward pass ours.
    monkeypatch.setattr(cliper.dense, "_by_onednn", lambda a, b: True)
    monkeypatch.setattr(cliper.dense, "_onednn", lambda a, b: a @ b)
    x, w, b = (random(*s, dtype=torch.float64).requires_grad_() for s in ((5, 3), (4, 3), (4,)))
    assert torch.autograd.gradcheck(linear, (x, w, b))
    assert torch.autograd.gradcheck(linear, (x, w))


def test_without_the_operator_the_product_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = random(400, 300), random(300, 100)
    monkeypatch.setattr(cliper.dense, "_ONEDNN", None)
    assert torch.equal(matmul(a, b), a @ b)


@pytest.mark.parametrize("shape", [(70,), (0, 70), (3, 70), (40, 50, 70)])
@pytest.mark.parametrize("bias", [True, False])
def test_layers_in_the_block_are_torchs(shape: tuple[int, ...], bias: bool) -> None:
    layer, x = torch.nn.Linear(70, 90, bias=bias), random(*shape)
    not_in_order = x.transpose(0, -2) if x.dim() > 2 else x
    with torch.inference_mode():
        for each in (x, not_in_order):
            expected = layer(each)
            with faster_linears():
                torch.testing.assert_close(layer(each), expected, rtol=1e-4, atol=1e-4)


def test_filled_rows_change_nothing_but_how_many_sizes_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not cliper.dense._BOTH:
        pytest.skip("this CPU's PyTorch carries only one library")
    sizes: set[int] = set()
    onednn = cliper.dense._ONEDNN

    def noting(rows: Tensor, *others: object) -> Tensor:
        sizes.add(len(rows))
        return onednn(rows, *others)  # type: ignore[no-any-return, misc]

    monkeypatch.setattr(cliper.dense, "_ONEDNN", noting)
    monkeypatch.setattr(cliper.dense, "_rows", 1)
    cliper.dense.fill_rows(32)
    layer = torch.nn.Linear(384, 400)
    with torch.inference_mode(), faster_linears():
        for rows in range(60, 130):
            x = random(rows, 384)
            expected = (x.double() @ layer.weight.double().T + layer.bias.double()).float()
            torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)
    assert sizes == {64, 96, 128, 160}


def test_a_whole_network_in_the_block_gives_the_same() -> None:
    """Attention's own projection, hooks and other precisions are not disturbed."""
    torch.manual_seed(0)
    network = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, dropout=0.0),
        2,
        enable_nested_tensor=False,
    ).train()  # in evaluation torch takes one fused operator for the whole layer
    seen: list[int] = []
    network.layers[0].linear1.register_forward_hook(lambda *_: seen.append(1))
    for kind in (torch.float32, torch.float64, torch.bfloat16):
        network, x = network.to(kind), random(8, 100, 64).to(kind)
        with torch.no_grad():
            expected = network(x)
            with faster_linears():
                torch.testing.assert_close(network(x), expected, rtol=2e-4, atol=2e-4)
    assert len(seen) == 6


def test_gradients_in_the_block_are_torchs() -> None:
    layer = torch.nn.Linear(70, 90)
    x, y = (random(3000, 70).requires_grad_() for _ in range(2))
    layer(x).square().sum().backward()
    with faster_linears():
        layer(y).square().sum().backward()
    assert x.grad is not None and y.grad is not None
    assert torch.equal(x.grad, y.grad)


def test_without_the_operator_the_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = torch.nn.Linear(300, 200), random(1000, 300)
    monkeypatch.setattr(cliper.dense, "_ONEDNN", None)
    with torch.inference_mode():
        expected = layer(x)
        with faster_linears():
            assert torch.equal(layer(x), expected)
