"""Packed layers against torch's own, and against the networks that they are packed into."""

import copy

import pytest
import torch
import transformers
from torch import nn
from torch.nn.functional import conv2d, linear

from cliper.encoders.runtime import packed
from cliper.encoders.runtime.packed import (
    NOTHING,
    RELU6,
    PackedLinear,
    can_pack,
    convolution,
    pack,
    pack_linears,
    packed_linear,
    unpack_linears,
)

pytestmark = pytest.mark.skipif(
    not can_pack(torch.float32), reason="this machine's torch cannot pack weights"
)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("shape", [(37,), (0, 37), (1, 37), (5, 7, 37), (130, 37)])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_gives_what_the_layer_gives(
    shape: tuple[int, ...], bias: bool, generator: torch.Generator
) -> None:
    layer = nn.Linear(37, 29, bias=bias)
    x = torch.randn(shape, generator=generator)
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(layer)(x), layer(x), atol=1e-5, rtol=1e-5)


def test_an_input_that_does_not_lie_in_order(generator: torch.Generator) -> None:
    layer = nn.Linear(16, 8)
    x = torch.randn(3, 16, 5, generator=generator).transpose(1, 2)
    with torch.inference_mode():
        torch.testing.assert_close(PackedLinear(layer)(x), layer(x), atol=1e-5, rtol=1e-5)


def test_the_activation_on_the_way_out_is_relu6(generator: torch.Generator) -> None:
    x, weight = torch.randn(50, 20, generator=generator), torch.randn(30, 20, generator=generator)
    bias = torch.randn(30, generator=generator)
    expected = linear(x, weight, bias)
    assert (expected > 6).any() and (expected < 0).any()
    torch.testing.assert_close(
        packed_linear(x, pack(weight), bias, RELU6), expected.clamp(0, 6), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(("groups", "stride"), [(1, (1, 1)), (8, (2, 2))])
def test_the_convolution_is_torchs(
    groups: int, stride: tuple[int, int], generator: torch.Generator
) -> None:
    x = torch.randn(2, 8, 13, 17, generator=generator).to(memory_format=torch.channels_last)
    weight, bias = torch.randn(16, 8 // groups, 3, 3, generator=generator), torch.randn(16)
    expected = conv2d(x, weight, bias, stride, 1, 1, groups)
    got = convolution(x, weight, bias, 1, stride, groups, NOTHING)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unpacking_gives_the_same_bytes_back(dtype: torch.dtype) -> None:
    if not can_pack(dtype):
        pytest.skip(f"{dtype} cannot be packed here")
    network = nn.Sequential(nn.Linear(40, 70), nn.GELU(), nn.Sequential(nn.Linear(70, 3, False)))
    network.to(dtype)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert pack_linears(network) == 2
    assert network.state_dict() == {}
    unpack_linears(network)
    after = network.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(tensor.dtype == dtype for tensor in after.values())


def test_only_plain_layers_on_the_cpu_are_packed() -> None:
    class Own(nn.Linear):
        pass

    network = nn.ModuleList(
        [
            nn.MultiheadAttention(8, 2),  # its projection is used by its weight, not called
            Own(4, 4),
            nn.Linear(4, 4, dtype=torch.float64),
            nn.Linear(4, 4, device="meta"),
            nn.Linear(4, 4),
        ]
    )
    assert pack_linears(network) == 1
    assert [type(layer) is PackedLinear for layer in network] == [False] * 4 + [True]
    assert pack_linears(network) == 0


def test_hooks_go_along_and_can_still_be_removed() -> None:
    network = nn.Sequential(nn.Linear(4, 4))
    seen: list[torch.Tensor] = []
    x = torch.randn(2, 4)
    handle = network[0].register_forward_hook(lambda _, __, out: seen.append(out) or out + 1)
    with torch.inference_mode():
        hooked = network(x)
        pack_linears(network)
        torch.testing.assert_close(network(x), hooked)
        handle.remove()
        torch.testing.assert_close(network(x), hooked - 1)
        unpack_linears(network)
        torch.testing.assert_close(network(x), hooked - 1)
    assert len(seen) == 2


def test_gradients_of_the_input_are_not_lost() -> None:
    layer = nn.Linear(6, 5)
    x, y = (torch.ones(3, 6, requires_grad=True) for _ in range(2))
    layer(x).square().sum().backward()
    PackedLinear(layer)(y).square().sum().backward()
    assert x.grad is not None and y.grad is not None and x.grad.any()
    torch.testing.assert_close(y.grad, x.grad)


def test_without_the_operators_nothing_is_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    can_pack.cache_clear()
    monkeypatch.setattr(packed, "_OPERATORS", object())
    try:
        network = nn.Sequential(nn.Linear(3, 3))
        assert pack_linears(network) == 0
        assert type(network[0]) is nn.Linear
    finally:
        can_pack.cache_clear()


def test_a_whole_tower_gives_the_same_features(generator: torch.Generator) -> None:
    config = transformers.CLIPVisionConfig(
        hidden_size=96, intermediate_size=200, num_hidden_layers=3, num_attention_heads=3,
        image_size=32, patch_size=8, projection_dim=40,
    )  # fmt: skip
    plain = transformers.CLIPVisionModelWithProjection(config).eval().requires_grad_(False)
    ours = copy.deepcopy(plain)
    assert pack_linears(ours) == 3 * 6 + 1
    pixels = torch.randn(5, 3, 32, 32, generator=generator)
    with torch.inference_mode():
        expected, got = plain(pixels).image_embeds, ours(pixels).image_embeds
    torch.testing.assert_close(got, expected, atol=2e-6, rtol=1e-5)
    cosine = torch.nn.functional.cosine_similarity(got, expected)
    assert cosine.min() > 1 - 1e-6
