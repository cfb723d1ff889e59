"""PNG: chunks (W3C PNG specification, 5.3)."""

import struct

from cliper.data.pictures.header import Budget, Header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS = 100_000


def read_png(data: bytes) -> Header:
    """The header of a PNG.

    Raises:
        BrokenHeader: it is a heap of chunks.
        struct.error: it ends within its header.
    """
    width, height = struct.unpack_from(">II", data, 16)
    at, budget, exif = len(SIGNATURE), Budget(_MAX_CHUNKS), b""
    kept: list[tuple[int, int]] = [(0, at)]
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        budget.spend("chunks")
        end = at + 12 + length
        if kind == b"eXIf" and not exif:
            exif = data[at + 8 : min(end, at + 8 + 65_536)]
        # A small first letter marks what a decoder may do without; transparency it may not.
        if kind == b"tRNS" or not kind[0] & 0x20:
            kept.append((at, end))
        if kind == b"IEND":
            break
        at = end
    return Header("PNG", width, height, lambda: b"".join(data[a:b] for a, b in kept), exif)
