"""open_clip's own configuration beside its weights: followed, or refused in one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from cliper.encoders import create_encoder
from cliper.errors import InputError

from .reference import Block, Reference, openai_ids
from .small_models import randomised

TEXTS = ["The product title is Wooden Train Set.", "", "one two three " * 40]
WIDTHS = {64: 320, 80: 320, 88: 704, 104: 832}  # a head's, and a small image tower's


def configuration(head_width: int, **model: Any) -> dict[str, Any]:
    width = WIDTHS[head_width]
    return {
        "model_cfg": {
            "embed_dim": 16,
            "vision_cfg": {
                "image_size": 32, "layers": 2, "width": width, "head_width": head_width,
                "patch_size": 8, "mlp_ratio": 4.0,
            },
            "text_cfg": {
                "context_length": 77, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2,
            },
            **model,
        },
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3},
    }  # fmt: skip


def saved(folder: Path, model: Reference, config: Any, tokenizer) -> Path:
    folder.mkdir(exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    if config is not None:
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    tokenizer.save_pretrained(folder)
    return folder


def reference(head_width: int) -> Reference:
    """Heads of text and image of other widths than 64, so that no default is right."""
    model: Any = randomised(
        lambda: Reference(False, visual=(WIDTHS[head_width], head_width), head_width=32), seed=3
    )
    return model


def pixels(paths: list[Path]) -> torch.Tensor:
    """Pictures of 32 x 32 as the configuration above wants them."""
    bytes_ = np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])
    return (torch.from_numpy(bytes_).permute(0, 3, 1, 2) / 255 - 0.5) / 0.25


@pytest.fixture(scope="module")
def squares(tmp_path_factory) -> list[Path]:
    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("squares")
    paths = [folder / f"{n}.png" for n in range(3)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.mark.parametrize("head_width", WIDTHS)
@pytest.mark.parametrize("quick", [True, False])
def test_heads_and_activation_are_the_configurations(
    head_width, quick, squares, hf_tokenizer, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(Block, "quick", quick)
    model = reference(head_width)
    config = configuration(head_width, **({"quick_gelu": True} if quick else {}))
    encoder = create_encoder(str(saved(tmp_path, model, config, hf_tokenizer)))
    with torch.no_grad():
        images = model.visual(pixels(squares)).numpy()
        texts = model.encode_text(openai_ids(hf_tokenizer, TEXTS, 77)).numpy()
    scale = np.abs(images).max()
    np.testing.assert_allclose(encoder.encode_image(squares), images, atol=2e-5 * scale)
    np.testing.assert_allclose(encoder.encode_text(TEXTS), texts, atol=2e-5 * np.abs(texts).max())
    # Read with other heads, as it was, the numbers are others: the oracle sees it.
    for block in model.visual.transformer.resblocks:
        block.attn = torch.nn.MultiheadAttention(WIDTHS[head_width], 1)
    model.load_state_dict(load_file(tmp_path / "open_clip_model.safetensors"))
    with torch.no_grad():
        assert np.abs(model.visual(pixels(squares)).numpy() - images).max() > 0.01 * scale


def test_heads_are_in_the_hash(hf_tokenizer, tmp_path) -> None:
    model = reference(80)
    config = configuration(80)
    one = create_encoder(str(saved(tmp_path / "one", model, config, hf_tokenizer)))
    config["model_cfg"]["vision_cfg"]["head_width"] = 64
    other = create_encoder(str(saved(tmp_path / "other", model, config, hf_tokenizer)))
    assert one.hash != other.hash


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("vision_cfg", "attentional_pool", True, "vision_cfg.attentional_pool True is not"),
        ("vision_cfg", "pool_type", "avg", "vision_cfg.pool_type 'avg' is not supported"),
        ("vision_cfg", "no_ln_pre", True, "vision_cfg.no_ln_pre True is not"),
        ("vision_cfg", "norm_kwargs", {"eps": 1e-6}, "vision_cfg.norm_kwargs .* is not supported"),
        ("vision_cfg", "act_kwargs", {"approximate": "tanh"}, "vision_cfg.act_kwargs"),
        ("vision_cfg", "timm_model_name", "vit_base", "vision_cfg.timm_model_name"),
        ("vision_cfg", "of_next_year", 3, "vision_cfg.of_next_year 3 is not supported"),
        ("vision_cfg", "head_width", 0, "vision_cfg.head_width is 0"),
        ("vision_cfg", "head_width", 100, "image tower is 320 wide, which 3 heads do not divide"),
        ("vision_cfg", "layers", 12, "says vision_cfg.layers 12, the tensors say 2"),
        ("vision_cfg", "image_size", [16, 64], r"image_size \[16, 64\], the tensors"),
        ("text_cfg", "no_causal_mask", True, "text_cfg.no_causal_mask True is not"),
        ("text_cfg", "pool_type", "last", "text_cfg.pool_type 'last' is not supported"),
        ("text_cfg", "tokenizer_kwargs", {"clean": "canonicalize"}, "text_cfg.tokenizer_kwargs"),
        ("text_cfg", "heads", 5, "text tower is 128 wide, which 5 heads do not divide"),
        ("text_cfg", "context_length", 64, "says text_cfg.context_length 64, the tensors say 77"),
        ("model_cfg", "multimodal_cfg", {"layers": 12}, "model_cfg.multimodal_cfg"),
        ("model_cfg", "embed_dim", 512, "says model_cfg.embed_dim 512, the tensors say 16"),
        ("preprocess_cfg", "resize_mode", "longest", "preprocess_cfg.resize_mode 'longest' is not"),
        ("preprocess_cfg", "interpolation", "nearest", "preprocess_cfg.interpolation 'nearest'"),
        ("preprocess_cfg", "size", 64, "preprocess_cfg.size 64 is not the tower's, 32"),
    ],
)  # fmt: skip
def test_what_is_not_followed_is_refused(section, key, value, said, hf_tokenizer, tmp_path) -> None:
    config = configuration(80)
    model = config["model_cfg"]
    {**config, "model_cfg": model, **model}[section][key] = value
    folder = saved(tmp_path, reference(80), config, hf_tokenizer)
    with pytest.raises(InputError, match=said) as caught:
        create_encoder(str(folder))
    assert "\n" not in str(caught.value)


def test_what_changes_nothing_is_no_obstacle(hf_tokenizer, tmp_path) -> None:
    folder = saved(tmp_path, reference(80), configuration(80), hf_tokenizer)
    plain = create_encoder(str(folder)).hash
    config = configuration(80)
    config["model_cfg"]["vision_cfg"] |= {
        "patch_dropout": 0.5, "output_tokens": True, "image_size": [32, 32], "qk_norm": False,
        "ls_init_value": None, "timm_model_name": None, "attn_pooler_queries": 256,
    }  # fmt: skip
    config["model_cfg"]["text_cfg"] |= {"tokenizer_kwargs": {}, "pool_type": "argmax"}
    saved(tmp_path, reference(80), config, hf_tokenizer)
    assert create_encoder(str(folder)).hash == plain


def test_a_tower_wider_than_openais_needs_its_configuration(hf_tokenizer, tmp_path) -> None:
    wide: Any = randomised(lambda: Reference(False, visual=(1280, 80)), seed=4)
    folder = saved(tmp_path, wide, None, hf_tokenizer)
    with pytest.raises(InputError, match=r"1280 wide.*open_clip_config\.json is needed"):
        create_encoder(str(folder))
