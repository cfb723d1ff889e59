"""Linear layers whose weights lie in oneDNN's own order, for inference on a CPU.

`torch` sends float32 products to MKL, which on some makers' processors takes kernels of half the
register width; oneDNN takes the widest that there are, and a weight that is packed once need not be
packed at every call. The operators are those that `torch.compile` uses for frozen weights; they are
not public, so `can_pack` tries them and everything works without them.
"""

import platform
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

_OPERATORS: Any = torch.ops.mkldnn

# What a layer may be followed by at no cost: the operator's name, its numbers, its variant.
Then = tuple[str, list[float], str]
NOTHING: Then = ("none", [], "")
RELU6: Then = ("hardtanh", [0.0, 6.0], "")


@cache
def can_pack(dtype: torch.dtype) -> bool:
    """Whether weights of this type can be packed on this machine's CPU, and give what they should.

    >>> can_pack(torch.float64)
    False
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False  # elsewhere the operators are other libraries', and unmeasured
    if dtype not in (torch.float32, torch.bfloat16):
        return False
    try:
        if dtype == torch.bfloat16 and not _OPERATORS._is_mkldnn_bf16_supported():
            return False  # it would be emulated
        weight = torch.arange(15, dtype=dtype).view(5, 3) / 16
        x = torch.arange(6, dtype=dtype).view(2, 3) / 8
        got = packed_linear(x, pack(weight), None, RELU6)
        return bool(torch.equal(got, linear(x, weight).clamp(0, 6)))
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


def pack(weight: Tensor) -> Tensor:
    """A weight (out, in) in oneDNN's order; `to_dense` gives the same bytes back."""
    packed: Tensor = _OPERATORS._reorder_linear_weight(weight.detach().contiguous(), None)
    return packed


def packed_linear(x: Tensor, weight: Tensor, bias: Tensor | None, then: Then = NOTHING) -> Tensor:
    """x (…, in) times a packed weight (out, in), plus bias (out): (…, out)."""
    kind, numbers, variant = then
    y: Tensor = _OPERATORS._linear_pointwise(x, weight, bias, kind, numbers, variant)
    return y


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    padding: int,
    stride: tuple[int, ...],
    groups: int,
    then: Then = NOTHING,
) -> Tensor:
    """`conv2d` over x (b, in, H, W) with the same padding on every side, and what follows it."""
    kind, numbers, variant = then
    around, step = [padding, padding], list(stride)
    y: Tensor = _OPERATORS._convolution_pointwise(
        x, weight, bias, around, step, [1, 1], groups, kind, numbers, variant
    )
    return y


class PackedLinear(nn.Module):
    """`nn.Linear` for inference, its weight packed: the same products, summed in another order.

    Hooks of the layer go along. Gradients of the input are right, at the plain layer's speed.

    Args:
        layer: a layer on the CPU of a type that `can_pack`; it is not changed.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        # No buffer: what is packed cannot be moved, cast or saved.
        self.weight = pack(layer.weight)
        self.bias = None if layer.bias is None else layer.bias.detach()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        _share_hooks(layer, self)

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in) to (…, out)."""
        if x.requires_grad and torch.is_grad_enabled():  # the packed product has no gradient
            return linear(x, self._dense(), self.bias)
        return packed_linear(x, self.weight, self.bias)

    def unpacked(self) -> nn.Linear:
        """The layer that this one was made of, bit for bit, without gradients."""
        bias = self.bias is not None
        layer = nn.Linear(self.in_features, self.out_features, bias, device="meta")
        layer.weight = nn.Parameter(self._dense(), requires_grad=False)
        if self.bias is not None:
            layer.bias = nn.Parameter(self.bias, requires_grad=False)
        _share_hooks(self, layer)
        return layer.eval()

    def _dense(self) -> Tensor:
        return self.weight.to_dense(dtype=self.weight.dtype)


def pack_linears(module: nn.Module) -> int:
    """Pack every linear layer inside a module, in place, and say how many.

    Layers on another device or of a type that cannot be packed stay. So do subclasses of
    `nn.Linear`: what owns them may reach for the weight itself (`nn.MultiheadAttention` does).
    Memory stays the same: each weight is given up as soon as it is packed.
    """
    count = 0
    for name, child in list(module.named_children()):
        if type(child) is nn.Linear:
            if child.weight.device.type == "cpu" and can_pack(child.weight.dtype):
                setattr(module, name, PackedLinear(child))
                count += 1
        else:
            count += pack_linears(child)
    return count


def unpack_linears(module: nn.Module) -> None:
    """Undo `pack_linears`, bit for bit."""
    for name, child in list(module.named_children()):
        if isinstance(child, PackedLinear):
            setattr(module, name, child.unpacked())
        else:
            unpack_linears(child)


def _share_hooks(one: nn.Module, other: nn.Module) -> None:
    # The very dictionaries, so that a hook's handle removes it from both.
    for name in ("_forward_hooks", "_forward_pre_hooks"):
        for suffix in ("", "_with_kwargs"):
            setattr(other, name + suffix, getattr(one, name + suffix))
    other._forward_hooks_always_called = one._forward_hooks_always_called
