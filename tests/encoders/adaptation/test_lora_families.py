"""LoRA on a small model of every family: attached equals merged, no adapter is without use."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cliper.encoders import create_encoder
from cliper.encoders.adaptation.lora import LowRankAdapters, adaptable_layers
from cliper.encoders.two_tower import TwoTowerEncoder

from ..families.small_models import FAMILIES

TEXTS = ["The product title is Wooden Train Set.", "two hours", "the quick brown fox jumps!"]


@pytest.mark.parametrize("family", [*FAMILIES, "clip-resnet"])
def test_merged_equals_attached(family, make_small, request, pictures):
    resnet = family == "clip-resnet"
    folder = request.getfixturevalue("resnet_folder") if resnet else make_small(family).folder
    encoder = create_encoder(str(folder))
    assert isinstance(encoder, TwoTowerEncoder)
    generator = torch.Generator().manual_seed(0)
    adapters = LowRankAdapters.initial(adaptable_layers(encoder.towers), 4, 8.0, generator)
    with torch.no_grad():
        for name, tensor in adapters.tensors.items():
            if name.endswith(".b"):
                tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    paths: list[Path] = pictures[:3]
    plain = encoder.encode_text(TEXTS), encoder.encode_image(paths)
    with adapters.attached(encoder.towers):
        attached = encoder.encode_text(TEXTS), encoder.encode_image(paths)
    adapters.merge(encoder.towers)
    merged = encoder.encode_text(TEXTS), encoder.encode_image(paths)
    for one, other in zip(attached, merged, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max() + 1e-6)
    text, image = (np.abs(m - p).max() for m, p in zip(merged, plain, strict=True))
    assert text > 0.05
    convolutional = family in ("align", "clip-resnet")  # nothing to adapt in the image tower
    assert image == 0 if convolutional else image > 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_every_adapter_gets_a_gradient(family, make_small):
    towers = create_encoder(str(make_small(family).folder)).towers
    adapters = LowRankAdapters.initial(
        adaptable_layers(towers), 2, 4.0, torch.Generator().manual_seed(0)
    )
    height, width = towers.image_shape or (64, 64)
    with adapters.attached(towers):
        ids = torch.arange(5, 5 + (towers.padded_to or 8))[None]
        mask = torch.ones_like(ids) if towers.masked else None
        total = towers.text(ids, mask).sum() + towers.image(torch.rand(1, 3, height, width)).sum()
    total.backward()
    without = [name for name, t in adapters.tensors.items() if t.grad is None]
    assert not without
    assert all(p.grad is None for p in towers.parameters())
