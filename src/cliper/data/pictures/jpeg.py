"""JPEG: segments up to the first scan (ITU-T T.81, annex B)."""

import re
import struct

from cliper.data.pictures.header import BrokenHeader, Budget, Header

SIGNATURE = b"\xff\xd8\xff"
# Each scan of a picture in scans is a walk over all of it, however few bytes the scan has.
# Encoders make about ten.
MAX_SCANS = 100
_MAX_SEGMENTS = 10_000
_MAX_JUNK = 65_536

_FILL = re.compile(rb"\xff+")
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_END, _SCAN, _EXIF = 0xD9, 0xDA, 0xE1
# Frame headers; 0xC4 (Huffman), 0xC8 and 0xCC (arithmetic) are other things.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
# What pixels depend on: tables, the frame, restart intervals, JFIF, and Adobe's colour transform.
_ESSENTIAL = {0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE} | _FRAMES


def read_jpeg(data: bytes) -> Header:
    """The header of a JPEG.

    Raises:
        BrokenHeader: it has no frame or no scan, or is a heap of segments and junk.
        struct.error, IndexError: it ends before its first scan.
    """
    at, junk, budget, kept, exif = 2, 0, Budget(_MAX_SEGMENTS), [data[:2]], b""
    frame: tuple[int, int, int, int] | None = None  # marker, width, height, components
    while True:
        start = data.find(b"\xff", at)
        fill = _FILL.match(data, start) if start >= 0 else None
        if fill is None:
            raise BrokenHeader("truncated header")
        junk += fill.end() - at - 1
        marker, at = data[fill.end()], fill.end() + 1
        if junk > _MAX_JUNK:
            raise BrokenHeader("junk between segments")
        budget.spend("segments")
        if marker in _STANDALONE or marker == 0:
            continue
        if marker == _END:
            raise BrokenHeader("no scan")
        (length,) = struct.unpack_from(">H", data, at)
        if length < 2:
            raise BrokenHeader("a segment of no length")
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            height, width, components = struct.unpack_from(">HHB", data, at + 3)
            frame = marker, width, height, components
        body = data[at : at + length]
        if marker in _ESSENTIAL:
            kept.append(bytes([0xFF, marker]) + body)
        elif marker == _EXIF and body[2:8] == b"Exif\0\0" and not exif:
            exif = body[8:]
        at += length
    if frame is None:
        raise BrokenHeader("no frame")
    marker, width, height, components = frame
    buffered = marker in _PROGRESSIVE or data[at + 2] < components
    costly = "a JPEG in arithmetic coding" if marker in _ARITHMETIC else None
    if buffered and data.count(b"\xff\xda", at) >= MAX_SCANS:
        costly = f"a JPEG of more than {MAX_SCANS} scans"
    return Header(
        "JPEG", width, height, lambda: b"".join([*kept, data[at - 2 :]]), exif, buffered, costly
    )
