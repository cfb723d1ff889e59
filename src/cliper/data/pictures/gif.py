"""GIF: blocks up to the end of the first frame (GIF89a specification)."""

import struct

from cliper.data.pictures.header import BrokenHeader, Budget, Header

SIGNATURES = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE = 0x21, 0x2C
_GRAPHIC_CONTROL = 0xF9
_MAX_BLOCKS = 1_000_000


def read_gif(data: bytes) -> Header:
    """The header of a GIF.

    Raises:
        BrokenHeader: it has no frame, or is a heap of blocks.
        struct.error, IndexError: it ends before its first frame does.
    """
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + _table(flags)
    kept, control, budget = [data[:at]], b"", Budget(_MAX_BLOCKS)
    while data[at] == _EXTENSION:
        label, start = data[at + 1], at
        at = _after_blocks(data, at + 2, budget)
        if label == _GRAPHIC_CONTROL:
            control = data[start:at]
    if data[at] != _IMAGE:
        raise BrokenHeader("no frame")
    x, y, across, down, flags = struct.unpack_from("<HHHHB", data, at + 1)
    end = _after_blocks(data, at + 10 + _table(flags) + 1, budget, complete=False)
    kept += [control, data[at:end], b"\x3b"]
    # A frame that leaves the screen makes the picture as large as itself.
    size = max(width, x + across), max(height, y + down)
    return Header("GIF", *size, lambda: b"".join(kept))


def _table(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int, budget: Budget, *, complete: bool = True) -> int:
    """Where a chain of data blocks ends; of an incomplete one, where the file does."""
    while at < len(data) or complete:
        size = data[at]
        at += 1 + size
        if not size:
            return at
        budget.spend("blocks")
    return len(data)
