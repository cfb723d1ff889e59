"""The two ways in which this package reads pictures, as readers for `Meter`."""

from cliper.data.images import verify_image
from cliper.encoders.images import ImageError, decode_rgb

MODULES = ("cliper.data.images", "cliper.encoders.images")
GOOD = "picture"


def by_verification(data: bytes) -> str:
    """As `prepare` and `images` do, before a picture is kept."""
    checked = verify_image(data)
    return GOOD if checked.stored is not None else f"refused: {checked.reason}"


def by_encoders(data: bytes) -> str:
    """As every encoder does: upright RGB, a JPEG reduced as far as 224 pixels allow."""
    return _decoded(data, 224)


def in_full(data: bytes) -> str:
    """As an encoder that wants every pixel would."""
    return _decoded(data, None)


def _decoded(data: bytes, at_least: int | None) -> str:
    try:
        image = decode_rgb(data, at_least)
    except ImageError as error:
        return f"refused: {error}"
    image.resize((64, 64))  # whatever is left to be loaded is loaded now
    return GOOD if image.mode == "RGB" else f"mode {image.mode}"
