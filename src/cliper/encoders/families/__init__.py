"""One file per family of dual encoders: how its towers, tokeniser and preprocessing are read."""

from importlib import import_module
from pathlib import Path

from cliper.encoders.towers import Parts
from cliper.errors import InputError
from cliper.files import read_json

FAMILIES = {
    "clip": "clip",
    "siglip": "siglip",
    "align": "align",
    "blip": "blip",
    "chinese_clip": "chinese_clip",
}
"""The `model_type` of a config.json, and the module here that reads such a folder."""


def load_folder(folder: Path) -> Parts:
    """Read a folder in `transformers`' layout: config, weights, tokeniser, preprocessing.

    Never touches the network and never runs code that lies in the folder.

    Raises:
        InputError: something is missing, of no known family, or does not fit together.
    """
    path = folder / "config.json"
    config = read_json(path)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in FAMILIES:
        raise InputError(
            f"model type {kind!r} is not supported",
            where=str(path),
            remedy=f"a dual encoder of one of these types is needed: {', '.join(FAMILIES)}",
        )
    parts: Parts = import_module(f"cliper.encoders.families.{FAMILIES[kind]}").load(folder)
    return parts
