"""WebP: the RIFF container and the first bytes of its bitstreams (RFC 9649)."""

import struct

from cliper.data.pictures.header import BrokenHeader, Budget, Header

_MAX_CHUNKS = 100_000


def is_webp(data: bytes) -> bool:
    """Whether these bytes begin like a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read_webp(data: bytes) -> Header:
    """The header of a WebP.

    Raises:
        BrokenHeader: the container begins with something else than a picture.
        struct.error: it ends within its header.
    """
    kind = data[12:16]
    exif = b""
    if kind == b"VP8X":
        low, middle, high, *rest = struct.unpack_from("<6B", data, 24)
        width, height = _24_bits(low, middle, high) + 1, _24_bits(*rest) + 1
        exif = _exif(data)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise BrokenHeader("truncated header" if len(data) < 16 else "no picture inside")
    return Header("WEBP", width, height, lambda: data, exif)


def _24_bits(low: int, middle: int, high: int) -> int:
    return low | middle << 8 | high << 16


def _exif(data: bytes) -> bytes:
    at, budget = 12, Budget(_MAX_CHUNKS)
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        budget.spend("chunks")
        if kind == b"EXIF":
            return data[at + 8 : at + 8 + min(length, 65_536)].removeprefix(b"Exif\0\0")
        at += 8 + length + length % 2
    return b""
