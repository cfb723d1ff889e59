"""EfficientNet-Lite for inference: batch normalisation folded into the convolutions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad
from torch.nn.utils.fusion import fuse_conv_bn_eval


class FusedEfficientNet(nn.Module):
    """The packaged network up to its pooled features, the same function up to rounding.

    Folding removes 50 passes over memory, channels-last and in-place activations most of the
    rest; benchmarks/image_encoder.py says what that is worth on a machine.

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
        self.weight = nn.Parameter(fused.weight.detach())
        self.bias = nn.Parameter(fused.bias.detach())
        self.stride, self.groups, self.relu = tuple(conv.stride), conv.groups, relu
        around = tuple(getattr(conv.static_padding, "padding", (0, 0, 0, 0)))
        symmetric = len(set(around)) == 1
        # A convolution pads symmetrically by itself; only stride 2 needs a copy of its input.
        self.inside = around[0] if symmetric else 0
        self.outside = None if symmetric else around

    def forward(self, x: Tensor) -> Tensor:
        if self.outside is not None:
            x = pad(x, self.outside)
        x = conv2d(x, self.weight, self.bias, self.stride, self.inside, 1, self.groups)
        return x.clamp_(0, 6) if self.relu else x


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
