"""OpenAI's weights layout, with Long-CLIP's two positional tables, as a `CLIPModel`.

Long-CLIP (Zhang et al. 2024, arXiv 2403.15378, section 3.2) keeps CLIP's first 20 positions as
they are and stretches the others to 248. Its published `.pt` holds two tables of 248 rows and
adds them under complementary masks at every step; here the sum is taken once: rows 0 to 19 of
`positional_embedding`, rows 20 and on of `positional_embedding_res`.
"""

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from cliper.encoders.preprocessing import (
    PREPROCESSING_FILE,
    PROCESSOR_FILE,
    ImagePreprocessing,
    load_preprocessing,
)
from cliper.errors import InputError

KEPT_POSITIONS = 20
_HEAD_WIDTH = 64  # in every CLIP that OpenAI published, and in Long-CLIP

_BLOCK = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_TOP = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "logit_scale": "logit_scale",
}
_STACKS = {
    "transformer.resblocks.": "text_model.encoder.layers.",
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
}
_IGNORED = ("input_resolution", "context_length", "vocab_size", "positional_embedding_res")

Weights = Mapping[str, torch.Tensor]


def load_openai_layout(path: Path) -> tuple[transformers.CLIPModel, ImagePreprocessing]:
    """Read a `.pt` state dict (CLIP's or Long-CLIP's) without running code from it.

    The image preprocessing is OpenAI's at the tower's resolution, or what a
    `preprocessor_config.json` beside the file says.

    Raises:
        InputError: not a state dict, not this layout, or tensors that do not fit together.
    """
    weights = _read(path)
    try:
        config = config_of(weights)
        with torch.random.fork_rng(devices=[]):  # its initial values are drawn, then replaced
            model = transformers.CLIPModel(config)
        renamed = converted(weights)
        # `strict` would also ask for `logit_scale`, which no embedding depends on
        missing = model.load_state_dict(renamed, strict=False).missing_keys
        missing = sorted(n for n in missing if n != "logit_scale" and "position_ids" not in n)
        if missing:
            raise ValueError(f"{len(missing)} tensors are missing, first {missing[0]}")
    except (KeyError, RuntimeError, ValueError) as error:
        reason = f"no tensor {error}" if isinstance(error, KeyError) else str(error).split("\n")[0]
        raise InputError(
            f"not OpenAI's CLIP layout with a ViT image tower: {reason}", where=str(path)
        ) from None
    size = math.isqrt(len(weights["visual.positional_embedding"]) - 1)
    size *= weights["visual.conv1.weight"].shape[2]
    if any((path.parent / name).is_file() for name in (PREPROCESSING_FILE, PROCESSOR_FILE)):
        return model, load_preprocessing(path.parent)
    return model, ImagePreprocessing(resize=size, crop=(size, size))


def merge_positions(weights: Weights) -> torch.Tensor:
    """The text tower's one positional table (L, width), from one table or from Long-CLIP's two.

    >>> one, two = torch.zeros(24, 2), torch.ones(24, 2)
    >>> both = {"positional_embedding": one, "positional_embedding_res": two}
    >>> merge_positions(both).sum(1).tolist() == [0.0] * 20 + [2.0] * 4
    True
    """
    first = weights["positional_embedding"]
    stretched = weights.get("positional_embedding_res")
    if stretched is None:
        return first
    if stretched.shape != first.shape:
        raise ValueError(
            f"positional tables of {tuple(first.shape)} and {tuple(stretched.shape)} differ"
        )
    return torch.cat([first[:KEPT_POSITIONS], stretched[KEPT_POSITIONS:]])


def converted(weights: Weights) -> dict[str, torch.Tensor]:
    """The state dict under `CLIPModel`'s names, float32.

    Two things change beyond names: the fused query-key-value matrix is split in three, and the
    projections, stored for multiplication from the right, are transposed.
    """
    out = {
        "text_model.embeddings.position_embedding.weight": merge_positions(weights),
        "text_projection.weight": weights["text_projection"].T,
        "visual_projection.weight": weights["visual.proj"].T,
    }
    for name, tensor in weights.items():
        if name in out or name in ("positional_embedding", "text_projection", "visual.proj"):
            continue
        if name in _IGNORED:
            continue
        if name in _TOP:
            out[_TOP[name]] = tensor
        else:
            out.update(_block(name, tensor))
    return {name: tensor.float().contiguous() for name, tensor in out.items()}


def config_of(weights: Weights) -> transformers.CLIPConfig:
    """The architecture, read off the tensors' shapes."""
    if "visual.proj" not in weights and "visual.attnpool.c_proj.weight" in weights:
        raise ValueError("its image tower is a ResNet, which is not supported yet")
    vocabulary, text_width = weights["token_embedding.weight"].shape
    image_width, _, patch, _ = weights["visual.conv1.weight"].shape
    grid = math.isqrt(len(weights["visual.positional_embedding"]) - 1)
    projection = weights["text_projection"].shape[1]
    text_inner = len(weights["transformer.resblocks.0.mlp.c_fc.weight"])
    image_inner = len(weights["visual.transformer.resblocks.0.mlp.c_fc.weight"])
    text = transformers.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=text_width,
        intermediate_size=text_inner,
        projection_dim=projection,
        num_hidden_layers=_depth(weights, "transformer.resblocks."),
        num_attention_heads=max(1, text_width // _HEAD_WIDTH),
        max_position_embeddings=len(weights["positional_embedding"]),
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
    )
    vision = transformers.CLIPVisionConfig(
        hidden_size=image_width,
        intermediate_size=image_inner,
        projection_dim=projection,
        num_hidden_layers=_depth(weights, "visual.transformer.resblocks."),
        num_attention_heads=max(1, image_width // _HEAD_WIDTH),
        image_size=grid * patch,
        patch_size=patch,
    )
    return transformers.CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=projection
    )


def _read(path: Path) -> dict[str, torch.Tensor]:
    try:
        # Long-CLIP is published as .pt; `weights_only` reads tensors and runs none of its pickle.
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError("no such file", where=str(path)) from None
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"cannot be loaded as plain tensors: {str(error).strip().split(chr(10))[0]}",
            where=str(path),
            remedy="save the model's state_dict(); archives that hold code are not run",
        ) from None
    if isinstance(loaded, dict) and isinstance(loaded.get("state_dict"), dict):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict) or not all(torch.is_tensor(t) for t in loaded.values()):
        raise InputError("not a state dict of tensors", where=str(path))
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


def _block(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    for ours, theirs in _STACKS.items():
        if not name.startswith(ours):
            continue
        layer, _, rest = name.removeprefix(ours).partition(".")
        prefix = f"{theirs}{layer}."
        if rest.startswith("attn.in_proj_"):
            kind = rest.removeprefix("attn.in_proj_")
            parts = zip("qkv", tensor.chunk(3), strict=True)
            return {f"{prefix}self_attn.{p}_proj.{kind}": part for p, part in parts}
        module, _, kind = rest.rpartition(".")
        if module in _BLOCK:
            return {f"{prefix}{_BLOCK[module]}.{kind}": tensor}
    raise ValueError(f"unknown tensor {name}")


def _depth(weights: Weights, stack: str) -> int:
    return 1 + max(int(n.removeprefix(stack).split(".")[0]) for n in weights if n.startswith(stack))
