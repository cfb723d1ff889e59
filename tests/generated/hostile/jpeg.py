"""Hostile JPEG files."""

import struct
from collections.abc import Iterator
from itertools import product

import numpy as np
from PIL import Image

from generated.hostile.case import (
    HostileImage,
    deep_exif,
    encoded,
    looping_exif,
    lying_exif,
    overlapping_exif,
    picture,
)

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def segment(marker: int, data: bytes, length: int | None = None) -> bytes:
    """A marker segment; a false length may be given."""
    size = len(data) + 2 if length is None else length
    return bytes([0xFF, marker]) + struct.pack(">H", size) + data


def frame(width: int, height: int, components: int = 1, marker: int = 0xC0, **given: int) -> bytes:
    """A frame header (SOF0 by default) without subsampling."""
    precision, sampling = given.get("precision", 8), given.get("sampling", 0x11)
    parts = b"".join(bytes([n + 1, sampling, 0]) for n in range(components))
    return segment(marker, struct.pack(">BHHB", precision, height, width, components) + parts)


def huffman(kind: int, counts: dict[int, int], symbols: bytes) -> bytes:
    """A Huffman table: how many codes of each length, and their symbols."""
    lengths = bytes(counts.get(n, 0) for n in range(1, 17))
    return segment(0xC4, bytes([kind]) + lengths + symbols)


def scan(components: int, first: int, last: int, approximation: int, data: bytes) -> bytes:
    """A scan header and its data."""
    parts = b"".join(bytes([n + 1, 0]) for n in range(components))
    return segment(0xDA, bytes([components]) + parts + bytes([first, last, approximation])) + data


QUANTISATION = segment(0xDB, b"\x00" + b"\x01" * 64)


def sequential_bomb(width: int, height: int, passes: int) -> bytes:
    """Like `scan_bomb`, without being progressive: one colour of three is coded again and again."""
    tables = huffman(0x00, {1: 1}, b"\x00") + huffman(0x10, {1: 1}, b"\x00")
    blocks = -(-width // 8) * -(-height // 8)
    once = scan(1, 0, 63, 0, bytes(-(-blocks // 4)))
    return SOI + QUANTISATION + frame(width, height, 3) + tables + once * passes + EOI


def scan_bomb(width: int, height: int, passes: int) -> bytes:
    """A small progressive file whose decoder walks over the whole picture for each scan.

    Every scan says "nothing new" for 32,767 blocks in 15 bits, so it costs a few bytes here and a
    pass over all coefficients there. Each band of coefficients is refined bit by bit, as the
    standard allows.
    """
    blocks = -(-width // 8) * -(-height // 8)
    runs = -(-blocks // 32_767)
    dc = scan(1, 0, 0, 0x00, bytes(-(-blocks // 8)))
    bits = "".join("0" + f"{16_383:014b}" for _ in range(runs))
    bits += "1" * (-len(bits) % 8)
    empty = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    bands = [
        (k, 0xD if a is None else a) for k, a in product(range(1, 64), [None, *range(12, -1, -1)])
    ]
    scans = b"".join(
        scan(1, k, k, low if low == 0xD else ((low + 1) << 4) | low, empty)
        for k, low in bands[:passes]
    )
    tables = huffman(0x00, {1: 1}, b"\x00") + huffman(0x10, {1: 1}, b"\xe0")
    return SOI + QUANTISATION + frame(width, height, 1, 0xC2) + tables + dc + scans + EOI


def with_exif(good: bytes, tiff: bytes) -> bytes:
    """A JPEG with an EXIF segment of this content."""
    return SOI + segment(0xE1, b"Exif\x00\x00" + tiff[:65_000]) + good[2:]


def jpeg_images(seed: int, flood: int) -> Iterator[HostileImage]:
    """Bombs, lies, damage and rare kinds."""
    good = picture("JPEG", seed)
    sof, sos = good.index(b"\xff\xc0"), good.index(b"\xff\xda")
    dqt, dht = good.index(b"\xff\xdb"), good.index(b"\xff\xc4")
    flat = huffman(0x00, {1: 1}, b"\x00") + huffman(0x10, {1: 1}, b"\x00")
    start = SOI + QUANTISATION
    body = scan(1, 0, 63, 0, bytes(64)) + EOI

    cases: list[tuple[str, bytes, str]] = [
        ("bomb-header", start + frame(65_535, 65_535, 3) + flat + body, "4 gigapixels, no data"),
        ("bomb-whole", start + frame(65_500, 65_500) + flat + scan(1, 0, 63, 0, bytes(2**20)) + EOI,
         "4 gigapixels of grey"),
        ("bomb-progressive", scan_bomb(30_000, 30_000, 1), "900 megapixels, progressive"),
        ("scans-sequential", sequential_bomb(5_600, 5_600, 130), "one colour coded 130 times"),
        ("arithmetic", start + frame(8, 8, 1, 0xC9) + body, "arithmetic coding"),
        ("zero-width", start + frame(0, 8) + flat + body, "no columns"),
        ("zero-height", start + frame(8, 0) + flat + body, "no rows, to be told later"),
        ("precision-12", start + frame(8, 8, precision=12) + flat + body, "twelve bits a sample"),
        ("precision-255", start + frame(8, 8, precision=255) + flat + body, "255 bits a sample"),
        ("components-0", start + frame(8, 8, 0) + flat + body, "no components"),
        ("components-255", start + frame(8, 8, 255) + flat + body, "255 components"),
        ("sampling-0", start + frame(8, 8, sampling=0) + flat + body, "no samples a block"),
        ("sampling-15", start + frame(8, 8, sampling=0xFF) + flat + body, "15 × 15 samples"),
        ("lossless", start + frame(8, 8, 1, 0xC3) + flat + body, "lossless coding"),
        ("hierarchical", start + frame(8, 8, 1, 0xC5) + flat + body, "hierarchical coding"),
        ("short-segment", SOI + segment(0xDB, b"", 0) + good[2:], "a segment of length 0"),
        ("huffman-overfull", start + frame(8, 8) + huffman(0x00, {1: 200}, bytes(200)) + body,
         "200 codes of one bit"),
        ("huffman-long", start + frame(8, 8) + huffman(0x00, dict.fromkeys(range(1, 17), 255), b"")
         + body, "4,080 symbols announced"),
        ("huffman-kind", start + frame(8, 8) + huffman(0xFF, {1: 1}, b"\x00") + body, "table 15"),
    ]  # fmt: skip
    for name, data, about in cases:
        yield HostileImage(f"{name}.jpg", data, "refused", about)
    for name, at in (
        ("start", 2), ("quantisation", dqt + 20), ("frame", sof + 6), ("huffman", dht + 9),
        ("scan-header", sos + 5), ("first-data", sos + 20), ("data", (sos + len(good)) // 2),
    ):  # fmt: skip
        yield HostileImage(f"truncated-{name}.jpg", good[:at], "refused", f"cut off: {name}")
    yield HostileImage("truncated-end.jpg", good[:-2], "either", "cut off before its end")
    yield from _damaged(good, seed, start, flat)
    yield from _floods(good, sos, flood)
    yield from _metadata(good, flood)
    yield from _rare(seed, good)
    # 64 million pixels as a plain JPEG, 32 million in scans, the most that is taken.
    yield HostileImage(
        "limit.jpg", start + frame(8_000, 8_000) + flat + scan(1, 0, 63, 0, bytes(250_000)) + EOI,
        "picture", "the most pixels that are taken",
    )  # fmt: skip
    yield HostileImage(
        "limit-four-colours.jpg",
        start + frame(8_000, 4_000, 4, 0xC2) + flat
        + scan(4, 0, 0, 0, bytes(250_000)) + EOI,
        "picture", "the most pixels that are taken in scans, four colours",
    )  # fmt: skip
    for passes, megapixels in ((10, 4), (98, 32), (800, 4), (800, 24)):
        side = int((megapixels * 1e6) ** 0.5)
        yield HostileImage(
            f"scans-{passes}-{megapixels}mp.jpg", scan_bomb(side, side, passes),
            "picture" if passes < 100 else "refused",
            f"{passes} scans over {megapixels} megapixels",
        )  # fmt: skip


def _damaged(good: bytes, seed: int, start: bytes, flat: bytes) -> Iterator[HostileImage]:
    generator = np.random.default_rng(seed)
    dht, sos = good.index(b"\xff\xc4"), good.index(b"\xff\xda")
    for n in range(4):
        noisy = bytearray(good)
        for at in generator.integers(sos + 14, len(good) - 2, 12):
            noisy[at] ^= int(generator.integers(1, 256))
        yield HostileImage(
            f"noise-data-{n}.jpg", bytes(noisy), "either", "bits flipped in the data"
        )
        noisy = bytearray(good)
        for at in generator.integers(dht + 5, dht + 21, 4):
            noisy[at] = int(generator.integers(0, 256))
        yield HostileImage(
            f"noise-huffman-{n}.jpg", bytes(noisy), "either", "a corrupted Huffman table"
        )
    without = {
        "huffman": start + frame(8, 8) + scan(1, 0, 63, 0, bytes(9)) + EOI,
        "quantisation": SOI + frame(8, 8) + flat + scan(1, 0, 63, 0, bytes(9)) + EOI,
        "frame": start + flat + scan(1, 0, 63, 0, bytes(9)) + EOI,
        "scan": start + frame(8, 8) + flat + EOI,
    }
    for name, data in without.items():
        yield HostileImage(f"no-{name}.jpg", data, "either", f"no {name}")
    yield HostileImage(
        "two-frames.jpg", good[:-2] + frame(65_535, 65_535, 3) + good[sos:],
        "either", "a second, huge frame header",
    )  # fmt: skip


def _floods(good: bytes, sos: int, flood: int) -> Iterator[HostileImage]:
    refused = (
        ("fill-bytes", SOI + b"\xff" * flood + good[2:], "fill bytes before a marker"),
        ("many-segments", good[:sos] + segment(0xFE, b"") * (flood // 4) + good[sos:],
         "millions of empty comments"),
        ("junk", good[:sos] + bytes(flood) + good[sos:], "junk between segments"),
    )  # fmt: skip
    for name, data, about in refused:
        yield HostileImage(f"{name}.jpg", data, "refused", about)
    yield HostileImage(
        "restarts.jpg", good[:-2] + b"\xff\xd0" * (flood // 2) + EOI,
        "either", "millions of restart markers",
    )  # fmt: skip


def _metadata(good: bytes, flood: int) -> Iterator[HostileImage]:
    parts = b"".join(
        segment(0xE2, b"ICC_PROFILE\x00" + bytes([n % 256, 255]) + bytes(60_000))
        for n in range(min(255, flood // 60_000))
    )
    cases = (
        ("exif-loop", with_exif(good, looping_exif(3)), "EXIF that loops"),
        ("exif-deep", with_exif(good, deep_exif(3_000)), "3,000 directories deep"),
        ("exif-lies", with_exif(good, lying_exif()), "EXIF values of 4 GB"),
        ("exif-overlap", with_exif(good, overlapping_exif(5_000, 65_000)),
         "5,000 EXIF values, each of them the rest of the segment"),
        ("exif-overlap-parts", _in_parts(good, overlapping_exif(60_000, 2_000_000 + flood)),
         "60,000 EXIF values of megabytes each, over many segments"),
        ("exif-short", with_exif(good, b"II*\x00"), "EXIF that stops after its head"),
        ("exif-garbage", with_exif(good, b"\x00" * 900), "EXIF of zeros"),
        ("comments", SOI + segment(0xFE, b"x" * 65_000) * (flood // 65_000) + good[2:],
         "megabytes of comments"),
        ("icc-broken", SOI + segment(0xE2, b"ICC_PROFILE\x00\x07\x00junk") + good[2:],
         "part 7 of 0 of a colour profile"),
        ("icc-large", SOI + parts + good[2:], "megabytes of colour profile"),
        ("mpo-loop", _mpo(good), "a multi-picture index that leads to itself"),
    )  # fmt: skip
    for name, data, about in cases:
        yield HostileImage(f"{name}.jpg", data, "picture", about)


def _in_parts(good: bytes, tiff: bytes) -> bytes:
    """EXIF over as many segments as it takes."""
    parts = (tiff[at : at + 65_000] for at in range(0, len(tiff), 65_000))
    return SOI + b"".join(segment(0xE1, b"Exif\x00\x00" + part) for part in parts) + good[2:]


def _mpo(good: bytes, pictures: int = 3_000) -> bytes:
    """A multi-picture file whose many pictures all begin where the first one does."""
    index = struct.pack("<HHI", 0xB000, 7, 4) + b"0100"
    index += struct.pack("<HHII", 0xB001, 4, 1, pictures)
    index += struct.pack("<HHII", 0xB002, 7, 16 * pictures, 50)
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 3) + index + bytes(4)
    entry = struct.pack("<IIIHH", 0x030000, len(good), 0, 0, 0)
    return SOI + segment(0xE2, b"MPF\x00" + tiff + entry * pictures) + good[2:]


def _rare(seed: int, good: bytes) -> Iterator[HostileImage]:
    colours = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    image = Image.fromarray(colours)
    cmyk = encoded(image.convert("CMYK"), "JPEG")
    adobe = segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00\x02")
    ycck = SOI + adobe + cmyk[2:]
    exif = Image.Exif()
    cases: list[tuple[str, bytes, str]] = [
        ("cmyk", cmyk, "four colours"),
        ("ycck", ycck, "four colours, transformed"),
        ("grey", encoded(image.convert("L"), "JPEG"), "one component"),
        ("progressive", encoded(image, "JPEG", progressive=True), "progressive"),
        ("subsampled", encoded(image, "JPEG", subsampling=2), "colours at half the size"),
        ("one-pixel", picture("JPEG", seed, (1, 1)), "a single pixel"),
        ("polyglot-zip", good + _zip(), "a ZIP archive after the end"),
        ("polyglot-html", SOI + segment(0xFE, b"<script>alert(1)</script>") + good[2:],
         "a script in a comment"),
    ]  # fmt: skip
    for orientation in (2, 3, 6, 8, 0, 255):
        exif[0x0112] = orientation
        about = f"EXIF orientation {orientation}"
        cases.append((f"orientation-{orientation}", encoded(image, "JPEG", exif=exif), about))
    for name, data, about in cases:
        yield HostileImage(f"{name}.jpg", data, "picture", about)


def _zip() -> bytes:
    import io
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("run.sh", "#!/bin/sh\n")
    return stream.getvalue()
