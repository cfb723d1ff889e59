"""Small random models, saved as published ones are; CLIP's with CLIP's real vocabulary."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from .families.small_models import Small, small
from .families.small_resnet import resnet_weights


@pytest.fixture(scope="session")
def clip_merges() -> list[tuple[str, str]]:
    """OpenAI's merges, in order: instant-clip-tokenizer carries their text in its library."""
    package = pytest.importorskip(
        "instant_clip_tokenizer", reason="CLIP's real vocabulary comes with instant-clip-tokenizer"
    )
    folder = Path(str(package.__file__)).parent
    (library,) = [p for p in folder.iterdir() if p.suffix in (".so", ".pyd")]
    data = library.read_bytes()
    begin = data.index(b"#version: 0.2\n") + len(b"#version: 0.2\n")
    lines = data[begin : begin + 2_000_000].split(b"\n")[: 49152 - 256 - 2]
    pairs = [tuple(line.decode().split(" ")) for line in lines]
    assert len(pairs) == 48894 and all(len(pair) == 2 for pair in pairs)
    return pairs


@pytest.fixture(scope="session")
def clip_vocabulary(clip_merges) -> dict[str, int]:
    """The real vocabulary; `test_clip_tokenizer` checks it against the package, id by id."""
    from cliper.encoders.families.tokenizer_files import vocabulary_of

    return vocabulary_of(clip_merges)


def tiny_model(seed: int = 0, positions: int = 77, **text) -> transformers.CLIPModel:
    sizes = {"intermediate_size": 96, "num_hidden_layers": 2, "projection_dim": 24}
    config = transformers.CLIPConfig(
        text_config=dict(
            hidden_size=64, num_attention_heads=4, max_position_embeddings=positions, **sizes
        )
        | text,
        vision_config=dict(
            hidden_size=48, num_attention_heads=3, image_size=32, patch_size=8, **sizes
        ),
        projection_dim=24,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.CLIPModel(config).eval()
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name or "layrnorm" in name:  # fresh ones are 0 or 1
                parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return model


@pytest.fixture(scope="session")
def hf_tokenizer(clip_merges, clip_vocabulary) -> transformers.CLIPTokenizer:
    return transformers.CLIPTokenizer(vocab=dict(clip_vocabulary), merges=list(clip_merges))


@pytest.fixture(scope="session")
def image_processor() -> CLIPImageProcessorPil:
    return CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


@pytest.fixture(scope="session")
def save_clip(tmp_path_factory, hf_tokenizer, image_processor):
    """Save a model in `transformers`' layout with tokeniser and preprocessing."""

    def save(model: transformers.CLIPModel) -> Path:
        folder = tmp_path_factory.mktemp("clip")
        model.save_pretrained(folder)
        hf_tokenizer.save_pretrained(folder)
        image_processor.save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def clip_model() -> transformers.CLIPModel:
    return tiny_model()


@pytest.fixture(scope="session")
def clip_folder(clip_model, save_clip) -> Path:
    return save_clip(clip_model)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> list[Path]:
    """PNGs (lossless) of several shapes, smooth enough for resampling to matter."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(3)
    paths = []
    for index, (height, width) in enumerate([(32, 32), (50, 81), (97, 40), (31, 33), (200, 300)]):
        small = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        paths.append(folder / f"{index}.png")
        image.save(paths[-1])
    return paths


@pytest.fixture(scope="session")
def make_clip_model():
    return tiny_model


@pytest.fixture(scope="session")
def make_small(tmp_path_factory) -> Callable[[str], Small]:
    """A small model of a family, made once a session."""
    made: dict[str, Small] = {}

    def make(family: str) -> Small:
        if family not in made:
            made[family] = small(family, tmp_path_factory.mktemp(family) / family)
        return made[family]

    return make


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory, hf_tokenizer) -> Path:
    """A small CLIP with a ResNet, in OpenAI's layout."""
    folder = tmp_path_factory.mktemp("resnet")
    torch.save(resnet_weights(), folder / "RN.pt")
    hf_tokenizer.save_pretrained(folder)
    return folder
