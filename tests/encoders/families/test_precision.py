"""Half precision against float32 on generated product pictures, and on real posters where they are.

The claim is cosine ≥ 0.999, row by row. Small random towers cannot speak for published weights:
benchmarks/encoder_precision.py does it at full depth, and an overflow is an error, not a row.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from cliper.demo.shop import generate_shop
from cliper.encoders import create_encoder
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.families.align import AlignTowers
from cliper.encoders.families.clip_resnet import ClipResnetTowers
from cliper.encoders.minilm import MiniLM
from cliper.encoders.towers import Towers
from cliper.errors import InputError

from .small_models import FAMILIES, copy_of

KINDS = ("clip", "clip_resnet", *FAMILIES)
COUNT = 20

Inputs = tuple[list[str], list[Path]]


@pytest.fixture(params=KINDS)
def folder(request, make_small, clip_folder, resnet_folder) -> Path:
    own = {"clip": clip_folder, "clip_resnet": resnet_folder}
    return own.get(request.param) or make_small(request.param).folder


@cache
def exact(folder: Path):
    return create_encoder(str(folder), batch_size=8)


def read(items: Path, images: Path) -> Inputs:
    rows = [json.loads(line) for line in items.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row.get("image")][:COUNT]
    texts = [str(row.get(field, "")) for row in rows for field in ("title", "description")]
    return texts, [images / row["image"] for row in rows]


@pytest.fixture(scope="module")
def products(tmp_path_factory) -> Inputs:
    """Pictures and texts as the demo makes them."""
    shop = tmp_path_factory.mktemp("shop")
    generate_shop(shop, items=24, users=2)
    return read(shop / "items.jsonl", shop)


@pytest.fixture(scope="module")
def films(shared_data) -> Inputs:
    folder = shared_data / "movielens-100k-posters"
    return read(folder / "items.jsonl", folder)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_on_generated_products(folder, dtype, products):
    check(folder, dtype, products)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_on_film_posters(folder, dtype, films):
    check(folder, dtype, films)


def check(folder: Path, dtype: str, inputs: Inputs) -> None:
    texts, pictures = inputs
    if dtype in exact(folder).towers.too_coarse:
        with pytest.raises(InputError, match=r"too coarse .*use float16 or float32"):
            create_encoder(str(folder), dtype=dtype)
        return
    half, full = create_encoder(str(folder), dtype=dtype, batch_size=8), exact(folder)
    assert half.hash != full.hash
    for ours, expected in (
        (half.encode_text(texts), full.encode_text(texts)),
        (half.encode_image(pictures), full.encode_image(pictures)),
    ):
        assert ours.dtype == np.float32 and not np.array_equal(ours, expected)
        assert cosines(ours, expected).min() >= 0.999


@pytest.mark.parametrize("inputs", ["products", "films"])
def test_the_packaged_networks_hold_in_float16_and_the_image_network_not_in_bfloat16(
    request, inputs
):
    """Trained weights, so this says what random ones cannot."""
    texts, pictures = (part[:8] for part in request.getfixturevalue(inputs))
    text, (image, _) = MiniLM().encode_text(texts), EfficientNetLite().encode_image(pictures)
    assert cosines(MiniLM(dtype=torch.float16).encode_text(texts), text).min() >= 0.999
    assert cosines(MiniLM(dtype=torch.bfloat16).encode_text(texts), text).min() >= 0.999
    half, _ = EfficientNetLite(dtype=torch.float16).encode_image(pictures)
    assert cosines(half, image).min() >= 0.999
    if inputs == "films":  # products are just above it
        brain, _ = EfficientNetLite(dtype=torch.bfloat16).encode_image(pictures)
        assert cosines(brain, image).min() < 0.999  # what the refusal rests on


def test_convolutions_are_the_ones_that_bfloat16_is_too_coarse_for():
    assert ClipResnetTowers.too_coarse == AlignTowers.too_coarse == ("bfloat16",)
    assert Towers.too_coarse == ()


@pytest.mark.parametrize("tower", ["text", "picture"])
def test_an_overflow_is_an_error_and_not_a_missing_picture(make_small, tmp_path, products, tower):
    """A weight beyond float16's range: refused there, fine in bfloat16."""
    from safetensors.torch import load_file, save_file

    folder = copy_of(make_small("siglip2"), tmp_path / "large")
    tensors = load_file(folder / "model.safetensors")
    name = {"text": "text_model.head.weight", "picture": "vision_model.head.mlp.fc2.weight"}[tower]
    tensors[name] *= 1e6
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    texts, pictures = products
    with pytest.raises(InputError, match=f"the {tower} tower .* not finite in float16") as caught:
        encoder = create_encoder(str(folder), dtype="float16")
        encoder.encode_text(texts), encoder.encode_image(pictures)
    assert "use bfloat16 or float32" in str(caught.value)
    encoder = create_encoder(str(folder), dtype="bfloat16")
    assert np.isfinite(encoder.encode_text(texts)).all()
    assert np.isfinite(encoder.encode_image(pictures)).all()
