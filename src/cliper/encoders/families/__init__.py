"""One file per family of dual encoders: its towers, and what is special about reading them."""

from importlib import import_module
from pathlib import Path
from typing import Any

from cliper.encoders.preprocessing import load_preprocessing
from cliper.encoders.towers import ModelParts, Towers
from cliper.errors import InputError
from cliper.files import read_json

FAMILIES = {
    "clip": "ClipTowers",
    "siglip": "SiglipTowers",
    "align": "AlignTowers",
    "blip": "BlipTowers",
    "chinese_clip": "ChineseClipTowers",
}
"""The `model_type` of a config.json, which is the module's name here as well, and its towers."""
MOST_LAYERS = 512
"""Of a tower; published ones have up to 48."""


def load_folder(folder: Path) -> ModelParts:
    """Read a folder in `transformers`' layout: config, weights, tokeniser, preprocessing.

    Never touches the network and never runs code that lies in the folder.

    Raises:
        InputError: something is missing, of no known family, or does not fit together.
    """
    path = folder / "config.json"
    config = read_json(path)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise InputError(
            f"model type {kind!r} is not supported",
            where=str(path),
            remedy=f"a dual encoder of one of these types is needed: {', '.join(FAMILIES)}",
        )
    _refuse_endless(config, path)
    family: Any = getattr(import_module(f"{__name__}.{kind}"), FAMILIES[kind])
    if reason := family.refusal(config):
        raise InputError(
            reason,
            where=str(path),
            remedy=f"take {family.wanted}",
        )
    tokenizer = family.load_tokenizer(folder)
    preprocessing = load_preprocessing(folder, family.processor)
    if preprocessing.shape is None:
        raise InputError(
            "the preprocessing gives pictures of different shapes",
            where=str(folder),
            remedy="use the preprocessor_config.json that was published with the weights",
        )
    import transformers  # not at the top: names of encoders and files are known without it

    from cliper.encoders.families.weights import load_weights

    model = load_weights(getattr(transformers, family.model_class), folder)
    towers: Towers = family(model, tokenizer.limit)
    return checked(ModelParts(towers, tokenizer, preprocessing), where=folder)


def _refuse_endless(config: dict[str, Any], path: Path) -> None:
    """Layers are made before weights are read: a damaged number of them would take hours."""
    for name, part in {"": config, **config}.items():
        layers = part.get("num_hidden_layers") if isinstance(part, dict) else None
        if isinstance(layers, int) and layers > MOST_LAYERS:
            key = f"{name}.num_hidden_layers".lstrip(".")
            raise InputError(
                f"{key} is {layers}",
                where=str(path),
                remedy=f"at most {MOST_LAYERS}; download the model again",
            )


def checked(parts: ModelParts, *, where: Path) -> ModelParts:
    """The parts, or an `InputError` when the tokeniser is another text tower's."""
    try:
        parts.towers.check_tokenizer(parts.tokenizer)
    except ValueError as error:
        raise InputError(
            str(error),
            where=str(where),
            remedy="use the tokeniser that was published with the weights",
        ) from None
    return parts
