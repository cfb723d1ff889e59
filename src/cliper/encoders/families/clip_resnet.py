"""CLIP's ResNet image towers: RN50, RN101, RN50x4, RN50x16, RN50x64 (arXiv 2103.00020).

Section 2.4 of the paper changes ResNet-50 in three ways. The stem has three convolutions instead of
one (ResNet-D, He et al. 2019). Wherever a convolution would step by two, it steps by one and a
mean over 2 × 2 pixels follows, also on the shortcut (anti-aliasing, Zhang 2019). And the mean over
positions at the end is replaced by attention: the mean asks, positions and mean answer, in several
heads, with a learned position for each. `transformers` has no such model, so it is written here,
under the names of the published tensors. The text tower is CLIP's, as in `clip`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import nn
from torch.nn.functional import avg_pool2d, relu, scaled_dot_product_attention

from cliper.encoders.families.clip import check_end
from cliper.encoders.families.open_clip_config import HEAD_WIDTH
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.encoders.towers import Model, Towers

_REDUCTION = 32  # pixels a side of the last feature map, and channels of it per `width`


@dataclass(frozen=True)
class ResnetShape:
    """An image tower's architecture.

    Attributes:
        depths: blocks in each of the four stages.
        width: channels after the stem; the last feature map has 32 times as many.
        side: of the pictures, in pixels.
        out: D.
        head_width: channels of a head of the attention at the end.
    """

    depths: tuple[int, int, int, int]
    width: int
    side: int
    out: int
    head_width: int = HEAD_WIDTH

    @property
    def heads(self) -> int:
        """Of the attention at the end."""
        return max(1, self.width * _REDUCTION // self.head_width)


def resnet_of(weights: Mapping[str, torch.Tensor], head_width: int = HEAD_WIDTH) -> ResnetShape:
    """The architecture of the tensors `visual.…`, read off their names and shapes."""
    counts = []
    for stage in range(1, 5):
        prefix = f"visual.layer{stage}."
        blocks = [name.split(".")[2] for name in weights if name.startswith(prefix)]
        if not blocks:
            raise ValueError(f"no tensor {prefix}…")
        counts.append(1 + max(map(int, blocks)))
    positions = len(weights["visual.attnpool.positional_embedding"])
    return ResnetShape(
        depths=(counts[0], counts[1], counts[2], counts[3]),
        width=len(weights["visual.layer1.0.conv1.weight"]),
        side=_REDUCTION * math.isqrt(positions - 1),
        out=len(weights["visual.attnpool.c_proj.weight"]),
        head_width=head_width,
    )


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3, mean over `stride` × `stride`, 1 × 1 to four times the width; a shortcut."""

    def __init__(self, inside: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inside, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.stride = stride
        self.downsample: nn.Sequential | None = None
        if stride > 1 or inside != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inside, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, inside, h, w) to (b, 4 · width, h / stride, w / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(self._shrunk(y)))
        if self.downsample is not None:
            x = self.downsample(self._shrunk(x))
        return relu(y.add_(x), inplace=True)

    def _shrunk(self, x: torch.Tensor) -> torch.Tensor:
        return avg_pool2d(x, self.stride) if self.stride > 1 else x


class AttentionPool(nn.Module):
    """Feature map to one vector: its mean attends to mean and positions."""

    def __init__(self, positions: int, channels: int, heads: int, out: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(positions + 1, channels))
        self.q_proj, self.k_proj = nn.Linear(channels, channels), nn.Linear(channels, channels)
        self.v_proj, self.c_proj = nn.Linear(channels, channels), nn.Linear(channels, out)
        self.heads = heads

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(b, channels, h, w) to (b, out)."""
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], dim=1)
        tokens = tokens + self.positional_embedding
        query = self._split(self.q_proj(tokens[:, :1]))
        key, value = self._split(self.k_proj(tokens)), self._split(self.v_proj(tokens))
        pooled = scaled_dot_product_attention(query, key, value)
        result: torch.Tensor = self.c_proj(pooled.transpose(1, 2).flatten(1))
        return result

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], x.shape[1], self.heads, -1).transpose(1, 2)


class ModifiedResnet(nn.Module):
    """The image tower: stem, four stages, attention pool."""

    def __init__(self, shape: ResnetShape) -> None:
        super().__init__()
        width, half = shape.width, shape.width // 2
        self.conv1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False)
        self.conv2 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.conv3 = nn.Conv2d(half, width, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(half), nn.BatchNorm2d(half)
        self.bn3 = nn.BatchNorm2d(width)
        inside = width
        for stage, depth in enumerate(shape.depths):
            planes, blocks = width << stage, []
            for index in range(depth):
                blocks.append(Bottleneck(inside, planes, 2 if stage and not index else 1))
                inside = 4 * planes
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        positions = (shape.side // _REDUCTION) ** 2
        self.attnpool = AttentionPool(positions, inside, shape.heads, shape.out)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (b, 3, side, side) to (b, out)."""
        x = relu(self.bn1(self.conv1(pixels)), inplace=True)
        x = relu(self.bn2(self.conv2(x)), inplace=True)
        x = avg_pool2d(relu(self.bn3(self.conv3(x)), inplace=True), 2)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        pooled: torch.Tensor = self.attnpool(x)
        return pooled


class ClipResnet(nn.Module):
    """Both towers: `visual`, and `transformers`' text tower with its projection."""

    def __init__(self, shape: ResnetShape, text_config: transformers.CLIPTextConfig) -> None:
        super().__init__()
        text: Any = transformers.CLIPTextModelWithProjection(text_config)
        self.text_model, self.text_projection = text.text_model, text.text_projection
        self.visual = ModifiedResnet(shape)
        self.shape, self.text_config = shape, text_config


class ClipResnetTowers(Towers):
    """A `ClipResnet`."""

    # Its 8 bits are lost over dozens of convolutions (results/encoder-precision.md).
    too_coarse = ("bfloat16",)

    def __init__(self, model: Model) -> None:
        text = model.text_config
        heads = [] if model.shape.head_width == HEAD_WIDTH else [model.shape.heads]
        super().__init__(
            model,
            width=model.shape.out,
            max_tokens=int(text.max_position_embeddings),
            image_shape=(model.shape.side, model.shape.side),
            settings=["clip_resnet", text.hidden_act, text.num_attention_heads, *heads],
        )

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Ids (b, L) to (b, D), as `ClipTowers.text`."""
        pooled = self.model.text_model(input_ids=ids).pooler_output
        features: torch.Tensor = self.model.text_projection(pooled)
        return features

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, H, W) to (b, D)."""
        features: torch.Tensor = self.model.visual(pixels)
        return features

    def check_tokenizer(self, tokenizer: TextTokenizer) -> None:
        """As `ClipTowers.check_tokenizer`."""
        check_end(tokenizer, self.model.text_config)
