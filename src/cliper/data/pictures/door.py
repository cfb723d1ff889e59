"""`open_picture`: the one door through which a stranger's picture reaches a decoder.

The bounds are such that decoding takes at most two seconds of one core and 512 MB, measured on
files that are made for doing harm (`benchmarks/hostile_images.py`).
"""

import io
import struct
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from cliper.data.pictures import bmp, gif, jpeg, png, webp
from cliper.data.pictures.header import BrokenHeader, Header
from cliper.data.pictures.orientation import exif_orientation

MAX_BYTES = 64 * 2**20
# No TIFF: its library writes to stderr on its own, and reads far more than pictures.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")

MAX_PIXELS = 32_000_000
# A plain JPEG can be decoded at a fraction of its size and need never be held in full.
MAX_PIXELS_JPEG = 64_000_000
# Its decoder holds several canvases at once: 18 bytes a pixel were measured.
MAX_PIXELS_WEBP = 25_000_000

# What Pillow's decoders raise on damaged files.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError,
    AttributeError, AssertionError, RuntimeError, struct.error,
)  # fmt: skip


class PictureError(Exception):
    """A picture is not to be decoded; the message is the reason, the same for all alike."""


class NoPicture(PictureError):
    """The bytes are no picture of a kind that is read."""


class TooLarge(PictureError):
    """The picture has more pixels than are decoded."""


class TooCostly(PictureError):
    """The picture is built in a way that makes decoding slow without need."""


@dataclass(frozen=True)
class Opened:
    """A picture whose header was read and whose pixels were not.

    Attributes:
        image: ready to be decoded.
        form: its format.
        orientation: what EXIF says of how the camera was held, 1 to 8.
    """

    image: Image.Image
    form: str
    orientation: int


def open_picture(data: bytes) -> Opened:
    """Open a picture without decoding it, if it may be decoded.

    Args:
        data: the whole file, of at most `MAX_BYTES`.

    Raises:
        NoPicture, TooLarge, TooCostly: it may not.
        ValueError and others: `DECODER_ERRORS`, where its structure is broken.
    """
    header = read_header(data)
    if header is None:
        raise NoPicture("not a JPEG, PNG, WebP, GIF or BMP image")
    most = most_pixels(header)
    if header.pixels > most:
        raise TooLarge(f"more than {most} pixels")
    if header.costly is not None:
        raise TooCostly(header.costly)
    try:
        image = Image.open(io.BytesIO(header.essential()), formats=FORMATS)
    except UnidentifiedImageError:
        raise NoPicture("not a JPEG, PNG, WebP, GIF or BMP image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"more than {most} pixels") from None
    if image.width * image.height > most:  # whatever made the two readings differ
        raise TooLarge(f"more than {most} pixels")
    return Opened(image, header.form, exif_orientation(header.exif))


def read_header(data: bytes) -> Header | None:
    """The header of a picture; None where the bytes begin like none of the formats.

    >>> header = read_header(b"BM" + bytes(12) + bytes([12, 0, 0, 0, 40, 1, 30, 0]))
    >>> header.form, header.width, header.height
    ('BMP', 296, 30)

    Raises:
        BrokenHeader: the bytes begin like one of them, but are truncated or make no sense.
    """
    try:
        if data.startswith(jpeg.SIGNATURE):
            return jpeg.read_jpeg(data)
        if data.startswith(png.SIGNATURE):
            return png.read_png(data)
        if data.startswith(gif.SIGNATURES):
            return gif.read_gif(data)
        if webp.is_webp(data):
            return webp.read_webp(data)
        if data.startswith(bmp.SIGNATURE):
            return bmp.read_bmp(data)
    except (struct.error, IndexError):
        raise BrokenHeader("truncated header") from None
    return None


def most_pixels(header: Header) -> int:
    """How many pixels a picture of this kind may have."""
    if header.form == "WEBP":
        return MAX_PIXELS_WEBP
    return MAX_PIXELS_JPEG if header.form == "JPEG" and not header.buffered else MAX_PIXELS
