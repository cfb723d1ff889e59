"""Hostile GIF, WebP, BMP, TIFF and AVIF files."""

import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from generated.hostile.case import HostileImage, encoded, looping_exif, picture

GIF_DATA = b"\x02\x02\x44\x01\x00"  # two colours, one pixel, end


def gif(width: int, height: int, *blocks: bytes, palette: bool = True) -> bytes:
    """A GIF of these blocks and an end."""
    colours = b"\x00\x00\x00\xff\xff\xff" if palette else b""
    screen = struct.pack("<HHBBB", width, height, 0x80 if palette else 0, 0, 0)
    return b"GIF89a" + screen + colours + b"".join(blocks) + b"\x3b"


def gif_frame(width: int, height: int, x: int = 0, y: int = 0, data: bytes = GIF_DATA) -> bytes:
    """One frame."""
    return b"\x2c" + struct.pack("<HHHHB", x, y, width, height, 0) + data


def gif_images(seed: int, flood: int) -> Iterator[HostileImage]:
    """Bombs, lies, damage and rare kinds."""
    good = picture("GIF", seed)
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 256, 200, dtype=np.uint8).tobytes()
    frames = [Image.new("P", (16, 16), n % 200) for n in range(300)]
    many = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=10)
    clear = Image.fromarray(generator.integers(0, 4, (32, 48), dtype=np.uint8), "P")
    clear.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250, 9, 9, 9])
    comment = b"\x21\xfe" + (b"\xff" + b"x" * 255) * (flood // 256) + b"\x00"
    tiny = b"\x21\xfe" + b"\x01x" * (flood // 2) + b"\x00"
    empty = b"\x21\xfe\x00" * (flood // 3)
    pieces = b"\x02" + b"\x01\x44" * (flood // 2) + b"\x00"
    cases: list[tuple[str, bytes, str]] = [
        ("bomb-screen", gif(65_535, 65_535, gif_frame(65_535, 65_535)), "4 gigapixels, one coded"),
        ("bomb-frame", gif(1, 1, gif_frame(65_535, 65_535)), "a huge frame on a tiny screen"),
        ("no-frame", gif(8, 8), "no frame"),
        ("zero-size", gif(0, 0, gif_frame(0, 0)), "no pixels"),
        (
            "code-size-0",
            gif(8, 8, gif_frame(8, 8, data=b"\x00\x02\x44\x01\x00")),
            "codes of 0 bits",
        ),
        ("code-size-200", gif(8, 8, gif_frame(8, 8, data=b"\xc8\x02\x44\x01\x00")), "of 200 bits"),
        ("comment-pieces", gif(8, 8, tiny, gif_frame(8, 8)), "a comment in millions of pieces"),
        ("extensions", gif(8, 8, empty, gif_frame(8, 8)), "millions of empty comments"),
        ("data-pieces", gif(8, 8, gif_frame(8, 8, data=pieces)), "data in millions of pieces"),
        ("truncated-screen", good[:9], "cut off: screen"),
        ("truncated-palette", good[:200], "cut off: palette"),
        ("truncated-data", good[: len(good) // 2 + 400], "cut off: data"),
    ]
    for name, data, about in cases:
        yield HostileImage(f"{name}.gif", data, "refused", about)
    cases = [
        ("far-frame", gif(8, 8, gif_frame(8, 8, 60_000, 60_000)), "a frame far outside"),
        ("noise-data", gif(64, 64, gif_frame(64, 64, data=b"\x08\xc8" + noise + b"\x00")), "noise"),
        ("comment", gif(8, 8, comment, gif_frame(8, 8)), "a comment of megabytes"),
        ("no-palette", gif(2, 2, gif_frame(2, 2), palette=False), "no palette at all"),
        ("polyglot-script", b"GIF89a=1;alert(1)//" + bytes(64), "a script that begins like a GIF"),
        ("truncated-end", good[:-1], "cut off before its end"),
    ]
    for name, data, about in cases:
        yield HostileImage(f"{name}.gif", data, "either", about)
    yield HostileImage("animated.gif", many, "picture", "300 frames")
    transparent = encoded(clear, "GIF", transparency=1)
    yield HostileImage("transparent.gif", transparent, "picture", "a transparent colour")


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """A WebP container; a false size may be given."""
    body = b"".join(k + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for k, d in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4 if size is None else size) + b"WEBP" + body


def canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The VP8X chunk. Flags: 2 animation, 8 EXIF, 16 alpha, 32 colour profile."""
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([flags, 0, 0, 0]) + sizes


def one_colour(width: int, height: int) -> bytes:
    """A lossless WebP bitstream that spends no bit on its pixels: five codes of one symbol each."""
    size = (width - 1) | (height - 1) << 14
    return b"\x2f" + struct.pack("<I", size) + (0x11111 << 3).to_bytes(4, "little")


def webp_images(seed: int, flood: int) -> Iterator[HostileImage]:
    """Bombs, lies, damage and rare kinds."""
    generator = np.random.default_rng(seed)
    colours = generator.integers(0, 256, (48, 64, 4), dtype=np.uint8)
    image = Image.fromarray(colours)
    lossy = encoded(image.convert("RGB"), "WEBP", quality=80)
    lossless = encoded(image, "WEBP", lossless=True)
    bitstream = lossless[20:]
    huge = one_colour(16_383, 16_383)
    dot = one_colour(1, 1) + b"\x00"
    dot_frame = bytes(15) + b"\x02" + b"VP8L" + struct.pack("<I", len(dot)) + dot
    crowd = [(b"ANMF", dot_frame)] * (flood // 55)
    frame_head = bytes(6) + (47).to_bytes(3, "little") * 2 + b"\x0a\x00\x00\x00"
    frame = (b"ANMF", frame_head + b"VP8L" + struct.pack("<I", len(bitstream)) + bitstream)
    animation = (b"ANIM", bytes(6))
    flat = Image.new("RGB", (16_383, 1), (9, 9, 9))
    noisy = bytearray(lossless)
    for at in generator.integers(30, len(lossless), 20):
        noisy[at] ^= 0x55
    frames = [Image.new("RGB", (32, 32), (n, n, n)) for n in range(200)]
    many = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=10)
    refused: list[tuple[str, bytes, str]] = [
        ("bomb-lossless", riff((b"VP8L", huge)), "268 megapixels in 30 bytes"),
        ("bomb-canvas", riff(canvas(16_383, 16_383), (b"VP8L", huge)), "268 megapixels"),
        ("bomb-animation", riff(canvas(2**24, 255, 2), animation, frame), "4 gigapixels, animated"),
        ("bomb-canvas-max", riff(canvas(2**24, 2**24, 2), animation, frame), "2^48 pixels"),
        ("no-data", riff(canvas(8, 8)), "no picture in the container"),
        ("truncated-container", lossy[:11], "cut off: container"),
        ("truncated-header", lossy[:24], "cut off: header"),
        ("truncated-lossy", lossy[: len(lossy) // 2], "cut off: lossy data"),
        ("truncated-lossless", lossless[: len(lossless) // 2], "cut off: lossless data"),
        ("garbage", riff((b"VP8L", b"\x2f" + bytes([255]) * 64)), "no bitstream"),
        ("size-0", riff((b"VP8 ", lossy[20:]), size=0), "a container of size 0"),
    ]
    for name, data, about in refused:
        yield HostileImage(f"{name}.webp", data, "refused", about)
    either = [
        ("many-frames", riff(canvas(1, 1, 2), (b"ANIM", bytes(6)), *crowd), "a crowd of frames"),
        ("size-lies", riff((b"VP8 ", lossy[20:]), size=0x7FFF_FFF0), "a container of 2 GB"),
        ("noise", bytes(noisy), "bits flipped"),
        ("alpha-garbage", riff(canvas(64, 48, 16), (b"ALPH", b"\xff" * 50), (b"VP8 ", lossy[20:])),
         "no alpha plane in the alpha chunk"),
        ("exif-loop", riff(canvas(64, 48, 8), (b"VP8 ", lossy[20:]), (b"EXIF", looping_exif(3))),
         "EXIF that leads to itself"),
        ("icc-garbage", riff(canvas(64, 48, 32), (b"ICCP", b"junk" * 9), (b"VP8 ", lossy[20:])),
         "a colour profile that is none"),
    ]  # fmt: skip
    for name, data, about in either:
        yield HostileImage(f"{name}.webp", data, "either", about)
    limit = riff((b"VP8L", one_colour(5_000, 5_000)))
    yield HostileImage("limit.webp", limit, "picture", "the most pixels that are taken")
    yield HostileImage("animated.webp", many, "picture", "200 frames")
    yield HostileImage("alpha.webp", lossless, "picture", "transparency")
    yield HostileImage("thin.webp", encoded(flat, "WEBP"), "picture", "16,383 × 1 pixels")


def bmp(
    width: int, height: int, bits: int = 24, compression: int = 0, data: bytes = b"", **given: int
) -> bytes:
    """A BMP with a 40-byte header; offset and colours may lie."""
    colours = given.get("colours", 0)
    table = b"\x00\x00\x00\x00\xff\xff\xff\x00" if bits <= 8 else b""
    offset = given.get("offset", 54 + len(table))
    info = struct.pack(
        "<IiiHHIIiiII", given.get("header", 40), width, height, 1, bits, compression, len(data),
        2_835, 2_835, colours or len(table) // 4, 0,
    )  # fmt: skip
    head = struct.pack("<2sIHHI", b"BM", 54 + len(table) + len(data), 0, 0, offset)
    return head + info + table + data


def bmp_images(seed: int, flood: int) -> Iterator[HostileImage]:
    """Bombs, lies, damage and rare kinds."""
    good = picture("BMP", seed)
    refused = [
        ("bomb-header", bmp(2**31 - 1, 2**31 - 1), "2^62 pixels"),
        ("bomb-wide", bmp(2**31 - 1, 1), "a row of two thousand million pixels"),
        ("bomb-rle", bmp(30_000, 30_000, 8, 1, b"\xff\x01" * 999), "900 megapixels, run lengths"),
        ("zero", bmp(0, 0), "no pixels"),
        (
            "rle-far",
            bmp(8, 8, 8, 1, b"\x00\x02\xff\xff" * 500 + b"\x00\x01"),
            "jumps out of bounds",
        ),
        ("rle-endless", bmp(8, 8, 8, 1, b"\xff\x01" * (flood // 2)), "more runs than pixels"),
        (
            "rle-ones",
            bmp(4_000, 4_000, 8, 1, b"\x01\x01" * (flood // 2)),
            "millions of runs of a pixel",
        ),
        ("bits-0", bmp(8, 8, 0), "no bits"),
        ("bits-255", bmp(8, 8, 255), "255 bits a pixel"),
        ("compression-99", bmp(8, 8, 24, 99, bytes(192)), "an unknown compression"),
        ("header-7", bmp(8, 8, data=bytes(192), header=7), "a header of 7 bytes"),
        ("truncated-header", good[:30], "cut off: header"),
        ("truncated-data", good[: len(good) // 2], "cut off: data"),
        ("offset", bmp(8, 8, data=bytes(192), offset=2**31), "pixels beyond the end"),
    ]
    for name, data, about in refused:
        yield HostileImage(f"{name}.bmp", data, "refused", about)
    either = [
        ("negative", bmp(-8, -8, data=bytes(192)), "a negative width"),
        ("colours", bmp(8, 8, 8, data=bytes(64), colours=2**32 - 1), "4 thousand million colours"),
    ]
    for name, data, about in either:
        yield HostileImage(f"{name}.bmp", data, "either", about)
    yield HostileImage("good.bmp", good, "picture", "nothing")


def tiff_and_avif_images(seed: int, flood: int) -> Iterator[HostileImage]:
    """Bombs and damage in the two formats of many features."""
    whole, modern = picture("TIFF", seed), picture("AVIF", seed)
    width = whole.index(struct.pack("<HHI", 0x0100, 4, 1)) + 8
    height = whole.index(struct.pack("<HHI", 0x0101, 4, 1)) + 8
    large = bytearray(whole)
    for at in (width, height):
        large[at : at + 4] = struct.pack("<I", 60_000)
    packed = encoded(Image.new("L", (5_600, 5_600)), "TIFF", compression="tiff_adobe_deflate")
    yield HostileImage("bomb-header.tif", bytes(large), "refused", "3.6 gigapixels, no data")
    yield HostileImage("limit.tif", packed, "picture", "31 megapixels of one colour, deflated")
    yield HostileImage("truncated.tif", whole[: len(whole) // 2], "refused", "cut off")
    yield HostileImage("flood.tif", whole + bytes(flood), "picture", "megabytes after the end")
    yield HostileImage("good.avif", modern, "picture", "nothing")
    yield HostileImage("truncated.avif", modern[: len(modern) // 2], "refused", "cut off")
