import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.efficientnet.image_processing_pil_efficientnet import (
    EfficientNetImageProcessorPil,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from cliper.encoders.images import decode_batches
from cliper.encoders.preprocessing import (
    ImagePreprocessing,
    load_preprocessing,
    parse_preprocessing,
)
from cliper.errors import InputError


def noise(height: int, width: int, seed: int = 0) -> Image.Image:
    generator = np.random.default_rng(seed)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


def ours(preprocessing: ImagePreprocessing, image: Image.Image) -> np.ndarray:
    pixels = torch.from_numpy(preprocessing.crop_pixels(image).copy())[None].permute(0, 3, 1, 2)
    return preprocessing.normalise(pixels).numpy()[0]


SETTINGS = [
    {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}},
    {"size": {"shortest_edge": 30}, "crop_size": {"height": 21, "width": 24}},
    {"size": {"shortest_edge": 20}, "crop_size": {"height": 27, "width": 24}},  # crop pads
    {"size": {"height": 20, "width": 31}, "do_center_crop": False, "resample": 2},
    {"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}, "resample": 1},
    {
        "size": {"shortest_edge": 24},
        "crop_size": {"height": 24, "width": 24},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.1, 0.2, 0.3],
    },
    {
        "size": {"shortest_edge": 24},
        "crop_size": {"height": 24, "width": 24},
        "do_normalize": False,
    },
]


@pytest.mark.parametrize("chosen", SETTINGS)
@given(st.integers(16, 70), st.integers(16, 70))
@settings(max_examples=25, deadline=None)
def test_pixels_equal_transformers(chosen, height, width):
    theirs = CLIPImageProcessorPil(**chosen)
    image = noise(height, width)
    expected = theirs(image, return_tensors="np")["pixel_values"][0]
    result = ours(parse_preprocessing(json.loads(theirs.to_json_string()), where="x"), image)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


SQUARE = {"height": 24, "width": 20}
ALIGN = {  # as the published conversion sets it
    "do_center_crop": True, "rescale_factor": 1 / 127.5, "rescale_offset": True,
    "do_normalize": False, "include_top": False, "resample": 2,
}  # fmt: skip
OTHERS = [
    (ChineseCLIPImageProcessorPil, {"size": SQUARE, "do_center_crop": False}),
    (SiglipImageProcessorPil, {"size": SQUARE}),
    (SiglipImageProcessorPil, {"size": SQUARE, "resample": 2, "image_mean": [0.1, 0.2, 0.3]}),
    (BlipImageProcessorPil, {"size": SQUARE}),
    (BlipImageProcessorPil, {"size": 24, "do_rescale": False}),
    (EfficientNetImageProcessorPil, {"size": SQUARE}),
    (EfficientNetImageProcessorPil, {"size": SQUARE, "include_top": False}),
    (EfficientNetImageProcessorPil, {"size": SQUARE, "do_normalize": False}),
    (EfficientNetImageProcessorPil, {"size": 30, "crop_size": SQUARE, **ALIGN}),
]


@pytest.mark.parametrize(("processor", "chosen"), OTHERS)
@given(st.integers(16, 70), st.integers(16, 70))
@settings(max_examples=10, deadline=None)
def test_pixels_of_the_other_families_equal_transformers(processor, chosen, height, width):
    theirs = processor(**chosen)
    image = noise(height, width)
    expected = theirs(image, return_tensors="np")["pixel_values"][0]
    result = ours(parse_preprocessing(json.loads(theirs.to_json_string()), where="x"), image)
    np.testing.assert_allclose(result, expected, atol=2e-6 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize(
    "processor",
    [
        ChineseCLIPImageProcessorPil,
        SiglipImageProcessorPil,
        BlipImageProcessorPil,
        EfficientNetImageProcessorPil,
    ],
)
def test_what_a_file_leaves_unsaid_is_the_processors_own_default(processor):
    """A file with the kind alone means the same as one with every setting written out."""
    kind = processor.__name__.removesuffix("Pil")
    written = parse_preprocessing(json.loads(processor().to_json_string()), where="x")
    for bare in (
        parse_preprocessing({"image_processor_type": kind}, where="x"),
        parse_preprocessing({"image_processor_type": f"{kind}Fast"}, where="x"),
        parse_preprocessing({}, where="x", usual=kind),
    ):
        assert bare == written


def test_the_default_is_openais():
    theirs = CLIPImageProcessorPil()
    assert parse_preprocessing(theirs.to_dict(), where="x") == ImagePreprocessing()


def test_the_old_spelling_is_read():
    old = {
        "feature_extractor_type": "CLIPFeatureExtractor",
        "size": 224,
        "crop_size": 224,
        "resample": 3,
        "do_resize": True,
        "do_center_crop": True,
        "do_normalize": True,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    assert parse_preprocessing(old, where="x") == ImagePreprocessing()


def test_the_joint_file_of_newer_versions_is_read(tmp_path):
    part = CLIPImageProcessorPil(size={"shortest_edge": 30}).to_dict()
    text = json.dumps({"image_processor": part, "processor_class": "CLIPProcessor"})
    (tmp_path / "processor_config.json").write_text(text)
    assert load_preprocessing(tmp_path) == ImagePreprocessing(resize=30)
    (tmp_path / "processor_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"processor_config\.json: not an object"):
        load_preprocessing(tmp_path)


def test_a_strip_does_not_become_gigapixels():
    small = ImagePreprocessing(resize=24, crop=(24, 24))
    strip = noise(2, 40_000)
    middle = strip.crop((20_000 - 16, 0, 20_000 + 16, 2))
    np.testing.assert_allclose(ours(small, strip), ours(small, middle), atol=1e-6)
    assert ours(small, noise(40_000, 2)).shape == (3, 24, 24)


def test_pictures_stay_channels_last_up_to_the_tower(pictures):
    small = ImagePreprocessing(resize=24, crop=(24, 24))
    (batch,) = decode_batches(pictures, small.crop_pixels, batch_size=8)
    normal = small.normalise(batch.pixels)
    assert normal.is_contiguous(memory_format=torch.channels_last)


def test_refusals_name_the_file(tmp_path):
    with pytest.raises(InputError, match=r"no preprocessor_config\.json"):
        load_preprocessing(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    for content in (
        "[]",
        '{"crop_size": "x"}',
        '{"do_pad": true}',
        '{"size": {"longest_edge": 9}}',
    ):
        path.write_text(content)
        with pytest.raises(InputError, match=r"preprocessor_config\.json"):
            load_preprocessing(tmp_path)
