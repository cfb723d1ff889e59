"""EfficientNet-Lite for inference: batch normalisation folded in, no copy that can be avoided."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cliper.encoders.runtime.packed import (
    NOTHING,
    RELU6,
    can_pack,
    convolution,
    pack,
    packed_linear,
)


class FusedEfficientNet(nn.Module):
    """The packaged network up to its pooled features, the same function up to rounding.

    Folding removes 50 passes over memory. On a CPU, `pack` goes on: the convolutions over single
    pixels, which are most of the work, become matrix products with packed weights, and the
    activations are applied on the way out. benchmarks/image_encoder.py says what that is worth.

    Args:
        network: an `efficientnet_lite_pytorch.EfficientNet` in evaluation mode.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Conv(network._conv_stem, network._bn0, relu=True),
            *[_Block(block) for block in network._blocks],
            _Conv(network._conv_head, network._bn1, relu=True),
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.eval().requires_grad_(False)

    def pack(self) -> "FusedEfficientNet":
        """Pack the weights, in place, where this machine can; afterwards it cannot be moved."""
        for layer in self.modules():
            if isinstance(layer, _Conv):
                layer.pack()
        return self

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (b, 3, 224, 224) to pooled features (b, 1280)."""
        features: Tensor = self.layers(pixels).mean((2, 3))
        return features


class _Conv(nn.Module):
    """TensorFlow's "same" padding, a convolution with its normalisation folded in, ReLU6."""

    def __init__(self, conv: Any, norm: nn.BatchNorm2d, *, relu: bool) -> None:
        super().__init__()
        fused = fuse_conv_bn_eval(conv, norm)
        assert fused.bias is not None
        weight = fused.weight.detach()
        left, right, top, bottom = getattr(conv.static_padding, "padding", (0, 0, 0, 0))
        if right != left:
            # At stride 2 one more row is wanted below than above. Padding the picture would copy
            # it; a row of zeros on top of the kernel asks for the same numbers, and a convolution
            # pads symmetrically by itself.
            assert (left, right) == (top, bottom) and right == left + 1
            weight = pad(weight, (1, 0, 1, 0))
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(fused.bias.detach())
        self.stride, self.groups, self.relu = tuple(conv.stride), conv.groups, relu
        self.padding = right
        self.packed: Tensor | None = None

    def pack(self) -> None:
        weight = self.weight
        if weight.device.type == "cpu" and can_pack(weight.dtype):
            self.packed = pack(weight.flatten(1)) if weight.shape[2:] == (1, 1) else weight.detach()

    def forward(self, x: Tensor) -> Tensor:
        if self.packed is None:
            x = conv2d(x, self.weight, self.bias, self.stride, self.padding, 1, self.groups)
            return x.clamp_(0, 6) if self.relu else x
        then = RELU6 if self.relu else NOTHING
        if self.packed.is_mkldnn:  # (b, c, h, w) in channels-last is (b, h, w, c) as it lies
            rows = packed_linear(x.permute(0, 2, 3, 1), self.packed, self.bias, then)
            return rows.permute(0, 3, 1, 2)
        return convolution(x, self.packed, self.bias, self.padding, self.stride, self.groups, then)


class _Block(nn.Module):
    """An inverted residual block: expand, depthwise, project."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        args = block._block_args
        expand: list[nn.Module] = []
        if args.expand_ratio != 1:
            expand.append(_Conv(block._expand_conv, block._bn0, relu=True))
        self.layers = nn.Sequential(
            *expand,
            _Conv(block._depthwise_conv, block._bn1, relu=True),
            _Conv(block._project_conv, block._bn2, relu=False),
        )
        stride = args.stride if isinstance(args.stride, int) else args.stride[0]
        self.skip = args.id_skip and stride == 1 and args.input_filters == args.output_filters

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y.add_(x) if self.skip else y
