"""CLIP's ResNets against the paper's formulas, written down again with plain functions."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from cliper.encoders import create_encoder
from cliper.encoders.families.clip_resnet import ModifiedResnet, ResnetShape, resnet_of
from cliper.errors import InputError

from .reference import openai_ids
from .small_resnet import SHAPE, TextReference, text_reference, visual_weights

TEXTS = ["The product title is Wooden Train Set.", "", "one two three " * 40]


def image_reference(w: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The image tower by functions alone, over the published names."""

    def norm(x, name):
        return F.batch_norm(
            x, w[f"{name}.running_mean"], w[f"{name}.running_var"],
            w[f"{name}.weight"], w[f"{name}.bias"], eps=1e-5,
        )  # fmt: skip

    def conv(x, name, **options):
        return F.conv2d(x, w[f"{name}.weight"], **options)

    for index, stride in (("1", 2), ("2", 1), ("3", 1)):
        x = norm(conv(x, f"conv{index}", stride=stride, padding=1), f"bn{index}").relu()
    x = F.avg_pool2d(x, 2)
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in w:
            name = f"layer{stage}.{block}"
            halve = stage > 1 and block == 0
            y = norm(conv(x, f"{name}.conv1"), f"{name}.bn1").relu()
            y = norm(conv(y, f"{name}.conv2", padding=1), f"{name}.bn2").relu()
            if halve:
                y, x = F.avg_pool2d(y, 2), F.avg_pool2d(x, 2)
            y = norm(conv(y, f"{name}.conv3"), f"{name}.bn3")
            if f"{name}.downsample.0.weight" in w:
                x = norm(conv(x, f"{name}.downsample.0"), f"{name}.downsample.1")
            x = (x + y).relu()
            block += 1
    batch, channels = x.shape[:2]
    tokens = x.reshape(batch, channels, -1).permute(2, 0, 1)
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens])
    tokens = tokens + w["attnpool.positional_embedding"][:, None]
    names = [f"attnpool.{part}_proj" for part in "qkvc"]
    q, k, v, c = ((w[f"{n}.weight"], w[f"{n}.bias"]) for n in names)
    attended, _ = F.multi_head_attention_forward(
        tokens, tokens, tokens, embed_dim_to_check=channels,
        num_heads=SHAPE.width * 32 // 64,  # the published rule
        in_proj_weight=None, in_proj_bias=torch.cat([q[1], k[1], v[1]]), bias_k=None, bias_v=None,
        add_zero_attn=False, dropout_p=0.0, out_proj_weight=c[0], out_proj_bias=c[1],
        use_separate_proj_weight=True, q_proj_weight=q[0], k_proj_weight=k[0], v_proj_weight=v[0],
        training=False,
    )  # fmt: skip
    return attended[0]


@pytest.fixture(scope="module")
def text() -> TextReference:
    return text_reference()


@pytest.fixture(scope="module")
def visual() -> dict[str, torch.Tensor]:
    return visual_weights()


@pytest.fixture(scope="module")
def weights(resnet_folder) -> dict[str, torch.Tensor]:
    return torch.load(resnet_folder / "RN.pt", weights_only=True)


@pytest.fixture(scope="module")
def encoder(resnet_folder):
    return create_encoder("clip-rn50", weights=resnet_folder)


def test_image_features_equal_the_formulas(encoder, visual, pictures):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    side = {"height": SHAPE.side, "width": SHAPE.side}
    processor = CLIPImageProcessorPil(size={"shortest_edge": SHAPE.side}, crop_size=side)
    images = processor([Image.open(p) for p in pictures], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        expected = image_reference(visual, images).numpy()
    ours = encoder.encode_image(pictures)
    assert ours.shape == (len(pictures), SHAPE.out)
    np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())
    assert np.abs(expected[0] - expected[1]).max() > 0.03 * np.abs(expected).max()


def test_text_features_equal_the_reference(encoder, text, hf_tokenizer):
    with torch.no_grad():
        expected = text(openai_ids(hf_tokenizer, TEXTS, 77)).numpy()
    np.testing.assert_allclose(encoder.encode_text(TEXTS), expected, rtol=1e-4, atol=1e-4)
    assert encoder.text_counts.truncated == 1


@pytest.mark.parametrize(
    "shape",
    [
        ResnetShape((3, 4, 6, 3), 64, 224, 1024),  # RN50
        ResnetShape((3, 4, 23, 3), 64, 224, 512),  # RN101
        ResnetShape((4, 6, 10, 6), 80, 288, 640),  # RN50x4
        ResnetShape((6, 8, 18, 8), 96, 384, 768),  # RN50x16
    ],
)
def test_the_published_sizes_are_read_off_the_shapes(shape):
    with torch.device("meta"):
        tower = ModifiedResnet(shape)
    weights = {f"visual.{name}": tensor for name, tensor in tower.state_dict().items()}
    assert resnet_of(weights) == shape
    assert tower.attnpool.heads == shape.width * 32 // 64


def test_rn50_has_the_published_number_of_parameters():
    with torch.device("meta"):
        tower = ModifiedResnet(ResnetShape((3, 4, 6, 3), 64, 224, 1024))
    # open_clip's model profile lists 38.32 million in RN50's image tower
    assert sum(p.numel() for p in tower.parameters()) == 38_316_896


def test_open_clips_safetensors_are_the_same_encoder(encoder, weights, hf_tokenizer, tmp_path):
    tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, tmp_path / "open_clip_model.safetensors")
    hf_tokenizer.save_pretrained(tmp_path)
    config = {"model_cfg": {"quick_gelu": True}, "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    assert create_encoder(str(tmp_path)).hash == encoder.hash
    # timm's repositories have its own weights and configuration beside them
    (tmp_path / "config.json").write_text('{"architecture": "resnet50_clip"}')
    (tmp_path / "model.safetensors").touch()
    assert create_encoder(str(tmp_path)).hash == encoder.hash


def test_open_clips_config_decides_activation_and_preprocessing(weights, hf_tokenizer, tmp_path):
    tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, tmp_path / "open_clip_model.safetensors")
    hf_tokenizer.save_pretrained(tmp_path)
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2], "interpolation": "bilinear"}
    config = {"model_cfg": {}, "preprocess_cfg": settings}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    other = create_encoder(str(tmp_path))
    assert (other.preprocessing.mean, other.preprocessing.resample) == ((0.5, 0.4, 0.3), 2)
    assert other.towers.model.text_config.hidden_act == "gelu"
    (tmp_path / "open_clip_config.json").write_text("[]")
    with pytest.raises(InputError, match="not open_clip's configuration"):
        create_encoder(str(tmp_path))


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_torchscript_archive_is_refused_in_one_line(tmp_path):
    module = torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2))
    module.save(str(tmp_path / "RN50.pt"))
    with pytest.raises(InputError, match="cannot be loaded as plain tensors") as caught:
        create_encoder("clip-rn50", weights=tmp_path / "RN50.pt")
    assert "OpenAI's own .pt files" in str(caught.value) and "\n" not in str(caught.value)
