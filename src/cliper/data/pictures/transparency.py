"""Which pixels of a PNG have the colour that it declares to be transparent (its chunk tRNS)."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from cliper.data.pictures.door import Opened
from cliper.types import BoolArray

# Samples as they lie in the file, by Pillow's names → bits, and what widens them to eight. Pillow
# widens samples of two and four bits and cuts those of sixteen, but not the declared colour.
_GREY = {"L;2": (2, 85), "L;4": (4, 17), "L": (8, 1), "I;16B": (16, 1)}
_RGB = {"RGB": 8, "RGB;16B": 16}


def raw_mode(opened: Opened) -> str | None:
    """How the samples of a PNG that is not decoded yet lie in the file."""
    tile = getattr(opened.image, "tile", None)
    args = tile[0].args if tile and opened.form == "PNG" else None
    return args if isinstance(args, str) else args[0] if args else None


def transparent_pixels(
    image: Image.Image, raw: str | None, again: Callable[[], Opened]
) -> BoolArray | None:
    """Mask (H, W); None where no colour is declared, or where Pillow itself knows (palettes).

    Colours are compared at the file's own depth, as the PNG specification asks (13.7 in the third
    edition), and of a declared value only as many bits count as samples have (11.3.2.1).

    Args:
        image: decoded.
        raw: its `raw_mode`.
        again: opens the same picture once more.
    """
    colour = image.info.get("transparency")
    if raw in _GREY and isinstance(colour, int):
        bits, factor = _GREY[raw]
        return np.asarray(np.asarray(image) == (colour & (1 << bits) - 1) * factor)
    if raw not in _RGB or not isinstance(colour, tuple):
        return None
    if _RGB[raw] == 8:
        return _equal(image, [value & 255 for value in colour])
    mask = _equal(image, [value >> 8 for value in colour])
    lower = again().image
    # The decoder takes one byte of each sample's two: read the other way round, the lower one.
    lower.tile = [part._replace(args="RGB;16L") for part in lower.tile]  # type: ignore[attr-defined]
    return mask & _equal(lower, [value & 255 for value in colour])


def _equal(image: Image.Image, colour: list[int]) -> BoolArray:
    return np.asarray((np.asarray(image) == np.array(colour, dtype=np.uint8)).all(axis=2))
