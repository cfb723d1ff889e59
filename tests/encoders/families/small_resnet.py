"""A small CLIP with a ResNet, in OpenAI's layout; its text tower is the reference's."""

from typing import Any

import torch
from torch import nn

from cliper.encoders.families.clip_resnet import ModifiedResnet, ResnetShape

from .reference import Stack
from .small_models import randomised

SHAPE = ResnetShape(depths=(1, 2, 1, 1), width=8, side=64, out=24)
WIDTH = 64


class TextReference(nn.Module):
    """CLIP's text tower in OpenAI's layout."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = Stack(WIDTH, 2)
        self.token_embedding = nn.Embedding(49408, WIDTH)
        self.positional_embedding = nn.Parameter(torch.randn(77, WIDTH))
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.randn(WIDTH, SHAPE.out))
        self.logit_scale = nn.Parameter(torch.tensor(4.6))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        mask = torch.full((77, 77), float("-inf")).triu(1)
        x = self.transformer(self.token_embedding(ids) + self.positional_embedding, mask)
        return self.ln_final(x)[torch.arange(len(ids)), ids.argmax(1)] @ self.text_projection


def text_reference() -> TextReference:
    model: Any = randomised(TextReference, seed=5)
    return model


def visual_weights() -> dict[str, torch.Tensor]:
    """Published names and shapes come from a fresh tower, values are drawn."""
    return randomised(lambda: ModifiedResnet(SHAPE), seed=6).state_dict()


def resnet_weights() -> dict[str, torch.Tensor]:
    images = {f"visual.{name}": tensor for name, tensor in visual_weights().items()}
    return {**text_reference().state_dict(), **images}
