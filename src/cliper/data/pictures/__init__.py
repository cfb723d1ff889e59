"""Pictures of strangers: what they claim to be, what of them a decoder gets to see."""

from cliper.data.pictures.door import (
    DECODER_ERRORS,
    MAX_BYTES,
    MAX_PIXELS,
    NoPicture,
    Opened,
    PictureError,
    TooCostly,
    TooLarge,
    open_picture,
)
from cliper.data.pictures.orientation import upright
from cliper.data.pictures.transparency import raw_mode, transparent_pixels

__all__ = [
    "DECODER_ERRORS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "NoPicture",
    "Opened",
    "PictureError",
    "TooCostly",
    "TooLarge",
    "open_picture",
    "raw_mode",
    "transparent_pixels",
    "upright",
]
