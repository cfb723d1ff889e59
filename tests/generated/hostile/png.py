"""Hostile PNG files."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from generated.hostile.case import (
    HostileImage,
    Verdict,
    deep_exif,
    encoded,
    looping_exif,
    lying_exif,
    overlapping_exif,
    picture,
    zlib_zeros,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes, length: int | None = None, crc: int | None = None) -> bytes:
    """One chunk; a false length or checksum may be given."""
    right = zlib.crc32(kind + data)
    return (
        struct.pack(">I", len(data) if length is None else length)
        + kind
        + data
        + struct.pack(">I", right if crc is None else crc)
    )


def header(
    width: int, height: int, depth: int = 8, colour: int = 2, interlace: int = 0, **given: int
) -> bytes:
    """The IHDR chunk. Colour: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha."""
    values = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return chunk(b"IHDR", values, **given)


def png(*chunks: bytes) -> bytes:
    """A file of these chunks and an end."""
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def rows(width: int, height: int, channels: int = 3, depth: int = 8, filter_type: int = 0) -> bytes:
    """Compressed rows of zeros, each under the same filter."""
    row = bytes([filter_type]) + bytes((width * channels * depth + 7) // 8)
    return zlib.compress(row * height)


def png_images(seed: int, flood: int) -> Iterator[HostileImage]:
    """Bombs, lies, damage and rare kinds."""
    good = picture("PNG", seed)
    idat = good.index(b"IDAT")
    small = header(8, 8)
    data = chunk(b"IDAT", rows(8, 8))

    yield HostileImage(
        "bomb-header.png", png(header(20_000, 10_000), chunk(b"IDAT", zlib.compress(b""))),
        "refused", "200 megapixels in the header, no data",
    )  # fmt: skip
    yield HostileImage(
        "bomb-whole.png", png(header(19_000, 19_000, colour=0), chunk(b"IDAT", zlib_zeros(345))),
        "refused", "361 megapixels of one colour in 350 kB",
    )  # fmt: skip
    yield HostileImage(
        "bomb-largest.png", png(header(2**31 - 1, 2**31 - 1), data),
        "refused", "the largest size that the format can say",
    )  # fmt: skip
    yield HostileImage(
        "bomb-thin.png", png(header(2**31 - 1, 1, 1, 0), chunk(b"IDAT", zlib_zeros(256))),
        "refused", "one row of two thousand million pixels",
    )  # fmt: skip
    yield HostileImage(
        "bomb-data.png", png(small, chunk(b"IDAT", zlib_zeros(1_024))),
        "either", "8 × 8 pixels, whose data inflates to a gigabyte",
    )  # fmt: skip
    for kind, name in ((b"zTXt", "ztxt"), (b"iTXt", "itxt")):
        head = b"a\x00\x00" if kind == b"zTXt" else b"a\x00\x01\x00\x00\x00"
        yield HostileImage(
            f"bomb-{name}.png", png(small, chunk(kind, head + zlib_zeros(1_024)), data),
            "either", f"a {kind.decode()} chunk that inflates to a gigabyte",
        )  # fmt: skip
    yield HostileImage(
        "bomb-texts.png", png(small, chunk(b"zTXt", b"a\x00\x00" + zlib_zeros(1)) * 500, data),
        "either", "500 text chunks that inflate to a megabyte each",
    )  # fmt: skip
    yield HostileImage(
        "bomb-icc.png", png(small, chunk(b"iCCP", b"a\x00\x00" + zlib_zeros(1_024)), data),
        "either", "a colour profile that inflates to a gigabyte",
    )  # fmt: skip
    yield HostileImage(
        "giant-text.png", png(small, chunk(b"tEXt", b"a\x00" + b"x" * flood), data),
        "picture", "megabytes of plain text",
    )  # fmt: skip
    yield HostileImage(
        "many-chunks.png", png(small, chunk(b"tEXt", b"a\x00b") * (flood // 15), data),
        "refused", "hundreds of thousands of text chunks",
    )  # fmt: skip
    yield HostileImage(
        "many-data-chunks.png", png(small, *[chunk(b"IDAT", b"")] * (flood // 12), data),
        "refused", "hundreds of thousands of empty data chunks",
    )  # fmt: skip
    overlap = chunk(b"eXIf", overlapping_exif(60_000, 2_000_000 + flood))
    yield HostileImage(
        "exif-overlap.png", png(small, overlap, data),
        "picture", "60,000 EXIF values, each of them the whole rest",
    )  # fmt: skip
    # 32 million pixels of 16-bit RGBA, the most that is taken.
    yield HostileImage(
        "limit.png", png(header(8_000, 4_000, 16, 6, 1), chunk(b"IDAT", zlib_zeros(246))),
        "picture", "the most pixels that are taken, 16-bit RGBA, interlaced",
    )  # fmt: skip
    yield from _damaged(good, idat, small, data)
    yield from _rare(seed, small, data)


def _damaged(good: bytes, idat: int, small: bytes, data: bytes) -> Iterator[HostileImage]:
    for name, at in (
        ("signature", 5), ("header", 20), ("after-header", 33), ("data", (idat + len(good)) // 2),
        ("first-data", idat + 6),
    ):  # fmt: skip
        yield HostileImage(f"truncated-{name}.png", good[:at], "refused", f"cut off: {name}")
    yield HostileImage("truncated-end.png", good[:-12], "either", "cut off before IEND")
    cases = (
        ("zero-width", png(header(0, 8), data), "no columns"),
        ("zero-height", png(header(8, 0), data), "no rows"),
        ("no-data", png(small), "no IDAT chunk"),
        ("no-palette", png(header(8, 8, colour=3), chunk(b"IDAT", rows(8, 8, 1))), "no PLTE chunk"),
        ("depth-3", png(header(8, 8, depth=3), data), "three bits a sample"),
        ("colour-5", png(header(8, 8, colour=5), data), "an undefined colour type"),
        ("interlace-7", png(header(8, 8, interlace=7), data), "an undefined interlacing"),
        ("header-crc", png(header(8, 8, crc=1), data), "a wrong checksum"),
        ("data-crc", png(small, chunk(b"IDAT", rows(8, 8), crc=1)), "a wrong checksum"),
        ("long-chunk", png(small, chunk(b"IDAT", rows(8, 8), length=0xFFFF_FFF0)), "4 GB of data"),
        ("filter-255", png(small, chunk(b"IDAT", rows(8, 8, filter_type=255))), "no such filter"),
        ("zlib-garbage", png(small, chunk(b"IDAT", b"\x78\x9c" + b"\xff" * 99)), "no deflate"),
        ("palette-index", _palette(b"\x00" + b"\xff" * 8), "colours that the palette lacks"),
        ("exif-loop", png(small, chunk(b"eXIf", looping_exif(3)), data), "EXIF that loops"),
        ("exif-deep", png(small, chunk(b"eXIf", deep_exif(3_000)), data), "3,000 directories deep"),
        ("exif-lies", png(small, chunk(b"eXIf", lying_exif()), data), "EXIF values of 4 GB"),
        ("icc-broken", png(small, chunk(b"iCCP", b"a\x00\x00" + zlib.compress(b"none")), data),
         "a colour profile that is none"),
    )  # fmt: skip
    never = {"zero-width", "zero-height", "no-data", "depth-3", "colour-5", "zlib-garbage"}
    fine = {"exif-loop", "exif-deep", "exif-lies", "icc-broken"}
    for name, content, about in cases:
        expected: Verdict = "refused" if name in never else "picture" if name in fine else "either"
        yield HostileImage(f"{name}.png", content, expected, about)


def _palette(row: bytes) -> bytes:
    colours = chunk(b"PLTE", b"\x10\x20\x30" * 2)
    return png(header(8, 8, colour=3), colours, chunk(b"IDAT", zlib.compress(row * 8)))


def _rare(seed: int, small: bytes, data: bytes) -> Iterator[HostileImage]:
    generator = np.random.default_rng(seed)
    deep = generator.integers(0, 2**16, (32, 48), dtype=np.uint16)
    palette = Image.fromarray(generator.integers(0, 4, (32, 48), dtype=np.uint8), "P")
    palette.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250, 9, 9, 9])
    adam7 = sum(
        -(-(32 - x) // dx) * 8 * -(-(32 - y) // dy) + -(-(32 - y) // dy)
        for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                             (1, 0, 2, 2), (0, 1, 1, 2))
    )  # fmt: skip
    interlaced = png(
        header(32, 32, 16, 6, interlace=1), chunk(b"IDAT", zlib.compress(bytes(adam7)))
    )
    frames = chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    control = struct.pack(">IIIIIHHBB", 0, 8, 8, 0, 0, 1, 10, 0, 0)
    far = struct.pack(">IIIIIHHBB", 1, 2**30, 2**30, 2**30, 2**30, 1, 10, 0, 0)
    yield HostileImage(
        "grey-16.png", encoded(Image.fromarray(deep), "PNG"), "picture", "16-bit grey"
    )
    yield HostileImage("rgba-16-interlaced.png", interlaced, "picture", "16-bit RGBA, interlaced")
    yield HostileImage(
        "palette-transparent.png", encoded(palette, "PNG", transparency=b"\x00\x80\xff\x10"),
        "picture", "a palette with transparency",
    )  # fmt: skip
    yield HostileImage(
        "apng-frames.png", png(small, frames, chunk(b"fcTL", control), data),
        "either", "an animation of two thousand million frames",
    )  # fmt: skip
    yield HostileImage(
        "apng-far.png", png(small, frames, chunk(b"fcTL", control), data, chunk(b"fcTL", far)),
        "either", "a frame far outside of the picture",
    )  # fmt: skip
    yield HostileImage(
        "polyglot-php.png", png(small, data) + b"<?php system($_GET[0]); ?>" * 100,
        "picture", "a script after the end",
    )  # fmt: skip
