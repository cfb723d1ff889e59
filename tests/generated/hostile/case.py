"""One hostile file, and the small tools that all of them are built with."""

import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image

Verdict = Literal["picture", "refused", "either"]


@dataclass(frozen=True)
class HostileImage:
    """A file that means harm, or that is merely unusual.

    Attributes:
        name: with the ending that it pretends to.
        data: its bytes.
        expected: whether it holds a picture that should be usable; "either" where decoders may
            differ (a damaged part that one repairs and another does not).
        about: what is wrong or unusual.
    """

    name: str
    data: bytes
    expected: Verdict
    about: str


def picture(form: str, seed: int = 0, size: tuple[int, int] = (48, 64), **options: Any) -> bytes:
    """A small good picture of noise, (height, width)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), form, **options)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    """An image as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def zlib_zeros(megabytes: int) -> bytes:
    """A zlib stream of so many times 2^20 zeros, made without compressing them all.

    Blocks that end in a full flush depend on nothing before them, so one can be repeated.

    >>> zlib.decompress(zlib_zeros(3)) == bytes(3 * 2**20)
    True
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    # Adler-32 of n zeros: the first sum stays 1, the second is n.
    check = ((megabytes * 2**20) % 65_521) << 16 | 1
    return b"\x78\xda" + block * megabytes + b"\x03\x00" + struct.pack(">I", check)


def looping_exif(entries: int = 1, pointer: int = 8) -> bytes:
    """A TIFF structure (as in EXIF) whose directory of directories leads back to itself."""
    tags = b"".join(
        struct.pack("<HHII", tag, 4, 1, pointer)
        for tag in (0x8769, 0x8825, 0xA005)[: max(1, min(3, entries))]
    )
    count = len(tags) // 12
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", count) + tags + struct.pack("<I", pointer)


def deep_exif(depth: int) -> bytes:
    """A TIFF structure of so many directories, each the child of the one before."""
    body, at = b"", 8
    for _ in range(depth):
        at += 18
        body += (
            struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, at) + struct.pack("<I", at)
        )
    return b"II*\x00\x08\x00\x00\x00" + body + struct.pack("<HI", 0, 0)


def lying_exif() -> bytes:
    """A TIFF structure with values of four thousand million entries."""
    tags = b"".join(
        struct.pack("<HHII", tag, kind, 0xFFFF_FFFF, 26)
        for tag, kind in ((0x0112, 3), (0x010E, 2), (0x8769, 4))
    )
    return b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 3) + tags + bytes(4)


def overlapping_exif(entries: int, size: int) -> bytes:
    """A TIFF structure of so many values, each of which is the whole rest of the file."""
    start = 8 + 2 + 12 * entries + 4
    tags = b"".join(
        struct.pack("<HHII", 0x1000 + n, 7, size - start, start) for n in range(entries)
    )
    body = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", entries) + tags + bytes(4)
    return body + bytes(size - start)
