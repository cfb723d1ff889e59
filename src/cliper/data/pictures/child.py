"""The process that reads pictures of strangers, and may die of it.

A program of its own: it knows Pillow and nothing of this package, so that it starts quickly. Its
arguments are bytes of memory and seconds of computing a picture, which the operating system
enforces. A request is a line `bytes at_least` and the file; the answer is a line of JSON and, of a
picture that was asked for, its pixels.
"""

import io
import json
import struct
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import (
    AvifImagePlugin,
    Image,
    ImageFile,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

# Pillow looks for the plugins of formats that it does not find, all of them, unless they are there.
_PLUGINS = (AvifImagePlugin, TiffImagePlugin, WebPImagePlugin)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF")
HEIC = ("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1")
"""How such a file begins; the library that reads it is an extra."""
MAX_PIXELS = 32_000_000
# A JPEG can be decoded at a fraction of its size.
MAX_PIXELS_JPEG = 64_000_000
ONLY_CHECK = -1
"""In place of `at_least`: decode as cheaply as every byte allows, and give no pixels."""

# What Pillow's decoders raise on damaged files.
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError,
    AttributeError, AssertionError, RuntimeError, struct.error,
)  # fmt: skip
_STRIP_PIXELS = 1_000_000
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Samples of a PNG as they lie in the file, by Pillow's names → bits, and what widens them to eight.
# Pillow widens samples of two and four bits and cuts those of sixteen, but not a declared colour.
_GREY = {"L;2": (2, 85), "L;4": (4, 17), "L": (8, 1), "I;16B": (16, 1)}
_RGB = {"RGB": 8, "RGB;16B": 16}


def read(data: bytes, at_least: int) -> tuple[dict[str, Any], bytes]:
    """What one file holds: `form` and `size`, or `refused` and why; and the pixels.

    Args:
        data: the file.
        at_least: a JPEG may be decoded at a reduced scale as long as both sides keep so many
            pixels; 0 for all of them; or `ONLY_CHECK`.
    """
    try:
        image = _opened(data)
        form = "JPEG" if image.format == "MPO" else str(image.format)
        most = MAX_PIXELS_JPEG if form == "JPEG" else MAX_PIXELS
        if image.width * image.height > most:
            return {"refused": "pixels", "most": most}, b""
        if at_least == ONLY_CHECK:
            image.draft("RGB", (image.width // 8 or 1, image.height // 8 or 1))
            image.load()
            return {"form": form}, b""
        picture = _decoded(image, at_least, lambda: _opened(data))
        return {"form": form, "size": picture.size}, picture.tobytes()
    except UnidentifiedImageError:
        return {"refused": "kind", "heic": _is_heic(data) and not _reads_heic()}, b""
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"refused": "pixels", "most": MAX_PIXELS}, b""
    except MemoryError:
        return {"refused": "memory"}, b""
    except _DAMAGE as error:
        return {"refused": "truncated" if "truncated" in str(error).lower() else "damaged"}, b""


def _opened(data: bytes) -> Image.Image:
    """Its header, read leniently: what is damaged in texts and other extras costs no picture."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        if not _is_heic(data) or not _reads_heic():
            raise
        return Image.open(io.BytesIO(data), formats=("HEIF",))
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12].decode("latin-1") in HEIC


@cache
def _reads_heic() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    # The picture alone; its decoder's threads would each count as memory.
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


def _decoded(image: Image.Image, at_least: int, again: Callable[[], Image.Image]) -> Image.Image:
    """8-bit RGB, upright, transparency laid on white."""
    tile = getattr(image, "tile", None)
    args = tile[0].args if tile and image.format == "PNG" else None
    raw = args if isinstance(args, str) else args[0] if args else None
    width, height = image.size
    if width * height > MAX_PIXELS:  # a JPEG: at half its size it fits
        least = at_least or width + height
        image.draft("RGB", (min(least, width // 2), min(least, height // 2)))
    elif at_least:
        image.draft("RGB", (at_least, at_least))
    image.load()
    orientation = _orientation(image)
    if image.format == "WEBP":  # its decoder keeps two canvases for as long as its image lives
        image = image.copy()
    keyed = _transparent(image, raw, again)
    if keyed is not None:
        image.info.pop("transparency", None)
    picture = _to_rgb(image)
    if keyed is not None:
        picture.paste((255, 255, 255), mask=Image.fromarray(keyed))
    return picture.transpose(_UNDO[orientation]) if orientation in _UNDO else picture


def _orientation(image: Image.Image) -> int:
    """How the camera was held, by EXIF alone: what only XMP says is not followed, as in browsers.

    Pillow turns a TIFF by itself.
    """
    tags = Image.Exif()
    with suppress(*_DAMAGE):
        if image.format != "TIFF":
            tags.load(image.info.get("exif", b""))
            return int(tags.get(0x0112, 1))
    return 1


def _transparent(
    image: Image.Image, raw: str | None, again: Callable[[], Image.Image]
) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    """Mask (H, W) of the pixels in the colour that a PNG declares transparent (its chunk tRNS).

    None where none is declared, or where Pillow itself knows (palettes). Colours are compared at
    the file's own depth, as the PNG specification asks (13.7 in the third edition), and of a
    declared value only as many bits count as samples have (11.3.2.1).
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
    lower = again()
    # The decoder takes one byte of each sample's two: read the other way round, the lower one.
    lower.tile = [part._replace(args="RGB;16L") for part in lower.tile]  # type: ignore[attr-defined]
    return mask & _equal(lower, [value & 255 for value in colour])


def _equal(image: Image.Image, colour: list[int]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.asarray((np.asarray(image) == np.array(colour, dtype=np.uint8)).all(axis=2))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:
        wide = np.asarray(image, dtype=np.uint16)
        return Image.fromarray((wide >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """Lay a picture on white, some rows at a time: all at once would hold it five times over."""
    width, height = image.size
    result = Image.new("RGB", image.size)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows))).convert("RGBA")
        white = Image.new("RGBA", strip.size, (255, 255, 255, 255))
        result.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return result


def bound_memory(size: int) -> None:
    """So many bytes beyond what is held now, where the system counts them (Linux)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + size
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def bound_time(seconds: int) -> None:
    """So much computing from now on; the system ends a process that takes more (Unix)."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft = int(time.process_time()) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def main(memory: int, seconds: int) -> None:
    """Answer requests until there are no more."""
    warnings.simplefilter("ignore")
    bound_memory(memory)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while line := requests.readline():
        size, at_least = map(int, line.split())
        data = requests.read(size)
        bound_time(seconds)
        told, pixels = read(data, at_least)
        answers.write(json.dumps(told).encode() + b"\n")
        answers.write(pixels)
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
