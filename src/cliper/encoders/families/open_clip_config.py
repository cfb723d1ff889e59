"""`open_clip_config.json`: what the shapes of a CLIP's tensors do not tell.

Every key that changes what the towers compute is either followed, or compared with the tensors, or
refused unless it has the value that our towers compute. A key that is not known here is refused
unless it is off: nothing is ignored that might give other numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cliper.errors import InputError
from cliper.files import read_json
from cliper.types import JsonObject

OPEN_CLIP_CONFIG = "open_clip_config.json"

# Of every CLIP that OpenAI published, and of Long-CLIP.
HEAD_WIDTH = 64
_WIDEST_OF_OPENAI = 1024  # an image transformer's width
_TEXT_HEADS = 8  # open_clip's, where a text tower is described without them

# What must have this value: other ones are other models.
_MUST_BE: Mapping[str, Mapping[str, Any]] = {
    "model_cfg": {},
    "vision_cfg": {"pool_type": "tok", "timm_model_name": None},
    "text_cfg": {
        "pool_type": "argmax", "proj_type": "linear", "hf_model_name": None,
        "hf_tokenizer_name": None, "tokenizer_kwargs": None,
    },
}  # fmt: skip
# What is followed or compared, or changes nothing in features of a trained tower: training
# (dropouts, initial values, precision), what is returned, and settings of what is refused above.
_KNOWN: Mapping[str, frozenset[str]] = {
    "model_cfg": frozenset({
        "embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text", "init_logit_scale",
        "init_logit_bias", "nonscalar_logit_scale", "cast_dtype", "output_dict",
    }),
    "vision_cfg": frozenset({
        "layers", "width", "head_width", "mlp_ratio", "patch_size", "image_size", "patch_dropout",
        "pos_embed_type", "output_tokens", "attn_pooler_queries", "attn_pooler_heads",
        "timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias", "timm_drop",
        "timm_drop_path",
    }),
    "text_cfg": frozenset({
        "context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio", "pad_id",
        "bos_id", "eos_id", "output_tokens", "hf_model_pretrained", "hf_proj_type",
        "hf_pooler_type",
    }),
}  # fmt: skip
_PICTURES: Mapping[str, tuple[str, ...]] = {
    "mode": ("RGB",),
    "interpolation": ("bicubic", "bilinear"),
    "resize_mode": ("shortest", "squash"),
}


@dataclass(frozen=True)
class Untold:
    """What shapes do not tell; OpenAI's where no file tells it.

    Attributes:
        activation: `quick_gelu` or `gelu`.
        head_width: channels of a head in the image tower.
        text_heads: None for the text's width over 64.
        said: section → what the file says of it.
        where: the file; None for none.
    """

    activation: str = "quick_gelu"
    head_width: int = HEAD_WIDTH
    text_heads: int | None = None
    said: Mapping[str, JsonObject] = field(default_factory=dict)
    where: str | None = None

    def heads(self, width: int) -> int:
        """Heads of an image tower of that width.

        Raises:
            ValueError: they do not divide it.
        """
        if self.where is None and width > _WIDEST_OF_OPENAI:
            raise ValueError(
                f"the image tower is {width} wide, OpenAI published none over {_WIDEST_OF_OPENAI}; "
                f"its {OPEN_CLIP_CONFIG} is needed beside it"
            )
        return _divided(width, max(1, width // self.head_width), "image tower")

    def heads_of_text(self, width: int) -> int:
        """Heads of a text tower of that width.

        Raises:
            ValueError: they do not divide it.
        """
        return _divided(width, self.text_heads or max(1, width // HEAD_WIDTH), "text tower")

    def check(self, section: str, found: Mapping[str, Any]) -> None:
        """Refuse a file that says something else of the tensors than they do (a `ValueError`)."""
        for key, is_so in found.items():
            says = self.said.get(section, {}).get(key)
            if says is not None and says != is_so:
                raise ValueError(
                    f"{OPEN_CLIP_CONFIG} says {section}.{key} {says}, the tensors say {is_so}"
                )


def read_open_clip(folder: Path) -> tuple[Untold, JsonObject]:
    """What an `open_clip_config.json` in `folder` says, and its settings of pictures.

    Raises:
        InputError: not open_clip's, or it asks for something that is not supported.
    """
    path = folder / OPEN_CLIP_CONFIG
    if not path.is_file():
        return Untold(), {}
    config = read_json(path)
    try:
        model, pictures = dict(config["model_cfg"]), dict(config.get("preprocess_cfg") or {})
        vision, text = dict(model.get("vision_cfg") or {}), dict(model.get("text_cfg") or {})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError("not open_clip's configuration", where=str(path)) from None
    said: dict[str, JsonObject] = {"model_cfg": model, "vision_cfg": vision, "text_cfg": text}
    for section, values in said.items():
        for key, value in values.items():
            _check_supported(section, key, value, path)
    for key, allowed in _PICTURES.items():
        if pictures.get(key, allowed[0]) not in allowed:
            _refuse("preprocess_cfg", key, pictures[key], path)
    head_width = _positive(vision.get("head_width", HEAD_WIDTH), "vision_cfg", "head_width", path)
    heads = text.get("heads", _TEXT_HEADS if text else None)
    untold = Untold(
        activation="quick_gelu" if model.get("quick_gelu") else "gelu",
        head_width=head_width,
        text_heads=None if heads is None else _positive(heads, "text_cfg", "heads", path),
        said=said,
        where=str(path),
    )
    return untold, pictures


def _check_supported(section: str, key: str, value: Any, path: Path) -> None:
    must_be = _MUST_BE[section]
    if key in must_be:
        if value != must_be[key] and (value or must_be[key] is not None):
            _refuse(section, key, value, path)
    elif key not in _KNOWN[section] and value not in (None, False, 0, "", {}, []):
        _refuse(section, key, value, path)


def _refuse(section: str, key: str, value: Any, path: Path) -> None:
    raise InputError(
        f"{section}.{key} {value!r} is not supported",
        where=str(path),
        remedy="take the model in transformers' layout, or another model",
    )


def _positive(value: Any, section: str, key: str, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{section}.{key} is {value!r}", where=str(path), remedy="1 at least")
    return value


def _divided(width: int, heads: int, what: str) -> int:
    if width % heads:
        raise ValueError(f"the {what} is {width} wide, which {heads} heads do not divide")
    return heads
