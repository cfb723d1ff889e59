"""Encoders under every choice of batch size, and what becomes of it when memory runs out."""

import numpy as np
import pytest
import torch

from cliper.encoders import create_encoder
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.minilm import MiniLM
from cliper.encoders.two_tower import TwoTowerEncoder

TEXTS = ["short", "", "a longer description of a product " * 4, "x " * 90, "Brand: Ubbi"] * 3


@pytest.fixture(scope="module")
def reference(clip_folder):
    return create_encoder(str(clip_folder), batch_size=4)


@pytest.mark.parametrize("size", [1, 3, "auto"])
def test_the_size_changes_rounding_alone(clip_folder, reference, pictures, size) -> None:
    encoder = create_encoder(str(clip_folder), batch_size=size)
    assert encoder.hash == reference.hash
    np.testing.assert_allclose(encoder.encode_text(TEXTS), reference.encode_text(TEXTS), atol=2e-6)
    np.testing.assert_allclose(
        encoder.encode_image(pictures), reference.encode_image(pictures), atol=2e-6
    )


def test_sizes_are_known_once_something_was_encoded(clip_folder, pictures) -> None:
    encoder = create_encoder(str(clip_folder), batch_size=5)
    assert isinstance(encoder, TwoTowerEncoder)
    assert encoder.batch_sizes == (None, None)
    encoder.encode_text(["a"])
    assert encoder.batch_sizes == (None, 5 * 77)
    encoder.encode_image(pictures)
    assert encoder.batch_sizes == (5, 5 * 77)


def test_an_encoder_goes_on_when_memory_runs_out(
    clip_folder, reference, pictures, monkeypatch
) -> None:
    encoder = create_encoder(str(clip_folder), batch_size=64)
    assert isinstance(encoder, TwoTowerEncoder)
    kind = type(encoder.towers)
    text, image = kind.text, kind.image

    def scarce_text(self, ids, mask):
        if ids.numel() > 100:
            raise torch.OutOfMemoryError
        return text(self, ids, mask)

    def scarce_image(self, pixels):
        if len(pixels) > 2:
            raise torch.OutOfMemoryError
        return image(self, pixels)

    texts, images = reference.encode_text(TEXTS), reference.encode_image(pictures)
    monkeypatch.setattr(kind, "text", scarce_text)
    monkeypatch.setattr(kind, "image", scarce_image)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), texts, atol=2e-6)
    np.testing.assert_allclose(encoder.encode_image(pictures), images, atol=2e-6)
    shrunk, tokens = encoder.batch_sizes
    assert shrunk is not None and tokens is not None
    assert shrunk <= 2 and tokens <= 100


def test_the_packaged_networks_too(pictures) -> None:
    small, auto = MiniLM(batch_size=2), MiniLM()
    np.testing.assert_allclose(small.encode_text(TEXTS), auto.encode_text(TEXTS), atol=2e-6)
    assert auto.at_once == 12 * 2**20 // (4 * 1536)  # the feed-forward layer is the widest
    one, other = EfficientNetLite(batch_size=1), EfficientNetLite()
    np.testing.assert_allclose(
        one.encode_image(pictures)[0], other.encode_image(pictures)[0], atol=5e-5
    )
