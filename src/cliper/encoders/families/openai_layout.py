"""CLIP's towers from one file in OpenAI's layout: a `.pt` state dict, or open_clip's safetensors.

OpenAI's CLIPs, Long-CLIP and open_clip's models of the same architecture share it. The image tower
is a ViT (`clip`) or a ResNet (`clip_resnet`); which one, and of what size, is read off the
tensors' shapes. What shapes do not tell comes from an `open_clip_config.json` beside the file
(`open_clip_config`), and is OpenAI's where there is none.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers

from cliper.encoders.families.clip import ClipTowers
from cliper.encoders.families.clip_resnet import ClipResnet, ClipResnetTowers, resnet_of
from cliper.encoders.families.long_clip import SECOND_TABLE, merge_positions
from cliper.encoders.families.open_clip_config import OPEN_CLIP_CONFIG, Untold, read_open_clip
from cliper.encoders.preprocessing import (
    OPENAI_MEAN,
    OPENAI_STD,
    PREPROCESSING_FILE,
    PROCESSOR_FILE,
    ImagePreprocessing,
    load_preprocessing,
    parse_preprocessing,
)
from cliper.encoders.state_dicts import read_state_dict
from cliper.encoders.towers import Towers
from cliper.errors import InputError, first_line
from cliper.types import JsonObject

OPEN_CLIP_WEIGHTS = "open_clip_model.safetensors"

# OpenAI's names and `CLIPModel`'s.
_RENAMED = (
    (r"^transformer\.resblocks\.", "text_model.encoder.layers."),
    (r"^token_embedding\.", "text_model.embeddings.token_embedding."),
    (r"^ln_final\.", "text_model.final_layer_norm."),
    (r"^visual\.transformer\.resblocks\.", "vision_model.encoder.layers."),
    (r"^visual\.class_embedding$", "vision_model.embeddings.class_embedding"),
    (r"^visual\.positional_embedding$", "vision_model.embeddings.position_embedding.weight"),
    (r"^visual\.conv1\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual\.ln_pre\.", "vision_model.pre_layrnorm."),
    (r"^visual\.ln_post\.", "vision_model.post_layernorm."),
    (r"\.attn\.", ".self_attn."),
    (r"\.ln_([12])\.", r".layer_norm\1."),
    (r"\.mlp\.c_fc\.", ".mlp.fc1."),
    (r"\.mlp\.c_proj\.", ".mlp.fc2."),
)
# Bookkeeping, and the causal mask that some versions save.
_IGNORED = ("input_resolution", "context_length", "vocab_size", SECOND_TABLE, "attn_mask")

Weights = Mapping[str, torch.Tensor]


def load_openai_layout(path: Path) -> tuple[Towers, ImagePreprocessing]:
    """Read one file in OpenAI's layout without running code from it; its tokeniser lies beside it.

    The image preprocessing is OpenAI's at the tower's resolution, or what a
    `preprocessor_config.json` or `open_clip_config.json` beside the file says.

    Raises:
        InputError: not a state dict, not this layout, or tensors that do not fit together.
    """
    weights = read_state_dict(path)
    untold, pictures = read_open_clip(path.parent)
    try:
        model: Any
        with torch.random.fork_rng(devices=[]):  # initial values are drawn, then replaced
            if _is_resnet(weights):
                shape = resnet_of(weights, untold.head_width)
                model, side = ClipResnet(shape, text_config_of(weights, untold)), shape.side
            else:
                model = transformers.CLIPModel(config_of(weights, untold))
                side = model.config.vision_config.image_size
            _check_told(weights, untold, side)
        # `strict` would also ask for `logit_scale`, which no embedding depends on
        missing, unknown = model.load_state_dict(converted(weights), strict=False)
        unneeded = ("position_ids", "num_batches_tracked", "logit_scale")
        for what, names in (("missing", missing), ("unknown", unknown)):
            if names := sorted(name for name in names if not name.endswith(unneeded)):
                raise ValueError(f"{len(names)} tensors are {what}, first {names[0]}")
    except (KeyError, RuntimeError, ValueError) as error:
        reason = f"no tensor {error}" if isinstance(error, KeyError) else first_line(error)
        raise InputError(f"not OpenAI's CLIP layout: {reason}", where=str(path)) from None
    towers = ClipResnetTowers(model) if isinstance(model, ClipResnet) else ClipTowers(model)
    return towers, _preprocessing(path.parent, side, pictures)


def converted(weights: Weights) -> dict[str, torch.Tensor]:
    """The state dict under `CLIPModel`'s names (a ResNet keeps its own), float32.

    Two things change beyond names: the fused query-key-value matrix is split in three, and the
    projections, stored for multiplication from the right, are transposed.
    """
    resnet = _is_resnet(weights)
    out = {
        "text_model.embeddings.position_embedding.weight": merge_positions(weights),
        "text_projection.weight": weights["text_projection"].T,
    }
    if not resnet:
        out["visual_projection.weight"] = weights["visual.proj"].T
    for name, tensor in weights.items():
        if name in ("positional_embedding", "text_projection", "visual.proj", *_IGNORED):
            continue
        new = name
        if not (resnet and name.startswith("visual.")):
            for theirs, ours in _RENAMED:
                new = re.sub(theirs, ours, new)
        before, fused, kind = new.partition(".in_proj_")
        if fused:
            parts = zip("qkv", tensor.chunk(3), strict=True)
            out |= {f"{before}.{part}_proj.{kind}": third for part, third in parts}
        else:
            out[new] = tensor
    return {name: tensor.float().contiguous() for name, tensor in out.items()}


def config_of(weights: Weights, untold: Untold) -> transformers.CLIPConfig:
    """The architecture with a ViT, read off the tensors' shapes."""
    text, projection = text_config_of(weights, untold), weights["text_projection"].shape[1]
    width, _, patch, _ = weights["visual.conv1.weight"].shape
    grid = math.isqrt(len(weights["visual.positional_embedding"]) - 1)
    vision = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=len(weights["visual.transformer.resblocks.0.mlp.c_fc.weight"]),
        projection_dim=projection,
        num_hidden_layers=_depth(weights, "visual.transformer.resblocks."),
        num_attention_heads=untold.heads(width),
        image_size=grid * patch,
        patch_size=patch,
        hidden_act=untold.activation,
    )
    return transformers.CLIPConfig(
        text_config=text.to_dict(),
        vision_config=vision.to_dict(),
        projection_dim=projection,
    )


def text_config_of(weights: Weights, untold: Untold) -> transformers.CLIPTextConfig:
    """The text tower's architecture, read off the tensors' shapes."""
    vocabulary, width = weights["token_embedding.weight"].shape
    return transformers.CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=len(weights["transformer.resblocks.0.mlp.c_fc.weight"]),
        projection_dim=weights["text_projection"].shape[1],
        num_hidden_layers=_depth(weights, "transformer.resblocks."),
        num_attention_heads=untold.heads_of_text(width),
        max_position_embeddings=len(weights["positional_embedding"]),
        bos_token_id=vocabulary - 2,
        eos_token_id=vocabulary - 1,
        hidden_act=untold.activation,
    )


def _is_resnet(weights: Weights) -> bool:
    return "visual.attnpool.c_proj.weight" in weights


def _check_told(weights: Weights, untold: Untold, side: int) -> None:
    """Refuse a configuration of other towers than these tensors' (a `ValueError`)."""
    text: Any = text_config_of(weights, untold)
    vision: dict[str, Any] = {"image_size": _as_said(untold, "vision_cfg", "image_size", side)}
    if _is_resnet(weights):
        shape = resnet_of(weights, untold.head_width)
        vision |= {"layers": list(shape.depths), "width": shape.width}
    else:
        tower: Any = config_of(weights, untold).vision_config
        vision |= {
            "layers": tower.num_hidden_layers,
            "width": tower.hidden_size,
            "patch_size": _as_said(untold, "vision_cfg", "patch_size", tower.patch_size),
        }
    untold.check("model_cfg", {"embed_dim": text.projection_dim})
    untold.check("vision_cfg", vision)
    untold.check(
        "text_cfg",
        {
            "context_length": text.max_position_embeddings,
            "vocab_size": text.vocab_size,
            "width": text.hidden_size,
            "layers": text.num_hidden_layers,
        },
    )


def _as_said(untold: Untold, section: str, key: str, side: int) -> int | list[int]:
    """A square's side, twice where the file gives two."""
    return [side, side] if isinstance(untold.said.get(section, {}).get(key), list) else side


def _preprocessing(folder: Path, side: int, pictures: JsonObject) -> ImagePreprocessing:
    size = pictures.get("size")
    if size is not None and size not in (side, [side, side]):
        raise InputError(
            f"preprocess_cfg.size {size} is not the tower's, {side}",
            where=str(folder / OPEN_CLIP_CONFIG),
        )
    if any((folder / name).is_file() for name in (PREPROCESSING_FILE, PROCESSOR_FILE)):
        return load_preprocessing(folder)
    square = {"height": side, "width": side}
    squash = pictures.get("resize_mode") == "squash"
    filters = {"bicubic": 3, "bilinear": 2}
    return parse_preprocessing(
        {
            "size": square if squash else {"shortest_edge": side},
            "crop_size": square,
            "resample": filters[pictures.get("interpolation", "bicubic")],
            "image_mean": pictures.get("mean", OPENAI_MEAN),
            "image_std": pictures.get("std", OPENAI_STD),
        },
        where=str(folder / OPEN_CLIP_CONFIG),
    )


def _depth(weights: Weights, stack: str) -> int:
    return 1 + max(int(n.removeprefix(stack).split(".")[0]) for n in weights if n.startswith(stack))
