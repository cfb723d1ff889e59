"""Every kind of PNG with transparency, against the pixels computed from its samples by hand."""

import struct
import zlib

import numpy as np
import pytest

from cliper.encoders.images import decode_rgb

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
KINDS = [
    *((GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((kind, depth) for kind in (RGB, GREY_ALPHA, RGBA) for depth in (8, 16)),
]


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(samples: np.ndarray, kind: int, depth: int, *extra: bytes) -> bytes:
    """Samples (H, W, channels) as a PNG without filters (W3C PNG specification, 7.2)."""
    height, width, channels = samples.shape
    rows = []
    for row in samples.reshape(height, width * channels):
        bits = "".join(f"{value:0{depth}b}" for value in row)
        bits += "0" * (-len(bits) % 8)
        rows.append(b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(b"".join(rows)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(decode_rgb(data), dtype=np.float64)


def eight_bits(samples: np.ndarray, depth: int) -> np.ndarray:
    return samples * 255 / (2**depth - 1)


@pytest.mark.parametrize(("kind", "depth"), KINDS)
def test_transparency_is_laid_on_white(kind: int, depth: int) -> None:
    rng = np.random.default_rng(depth + 100 * kind)
    samples = rng.integers(0, 2**depth, (9, 7, CHANNELS[kind]))
    extra: list[bytes] = []
    if kind in (GREY, RGB):
        declared = samples[2, 3]
        samples[4:6, 1:5] = declared
        extra = [chunk(b"tRNS", b"".join(struct.pack(">H", value) for value in declared))]
        colours = eight_bits(samples, depth)
        alpha = (~(samples == declared).all(axis=2)).astype(np.float64)
    elif kind == PALETTE:
        palette = rng.integers(0, 256, (2**depth, 3))
        alphas = rng.integers(0, 256, 2**depth - 1)  # the last has none and is opaque
        extra = [
            chunk(b"PLTE", palette.astype(np.uint8).tobytes()),
            chunk(b"tRNS", alphas.astype(np.uint8).tobytes()),
        ]
        colours = palette[samples[:, :, 0]]
        alpha = np.append(alphas, 255)[samples[:, :, 0]] / 255
    else:
        scaled = eight_bits(samples, depth)
        colours, alpha = scaled[:, :, :-1], scaled[:, :, -1] / 255
    expected = colours * alpha[:, :, None] + 255 * (1 - alpha[:, :, None])
    found = decoded(png(samples, kind, depth, *extra))
    # Sixteen bits are cut to eight, not rounded, in colour and alpha: up to two steps together.
    assert np.abs(found - expected).max() <= (2 if depth == 16 else 1)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("black", [True, False])
def test_a_transparent_background_is_white_at_every_depth(depth: int, black: bool) -> None:
    background = 0 if black else (2**depth - 1) // 3
    samples = np.full((6, 6, 1), 2**depth - 1)
    samples[0] = background
    declared = chunk(b"tRNS", struct.pack(">H", background))
    assert (decoded(png(samples, GREY, depth, declared)) == 255).all()
    assert (decoded(png(samples, GREY, depth))[0] < 255).all()


@pytest.mark.parametrize(("kind", "channels"), [(GREY, 1), (RGB, 3)])
def test_sixteen_bits_are_compared_in_full(kind: int, channels: int) -> None:
    samples = np.full((1, 3, channels), 0x1234)
    samples[0, 1] = 0x1235  # the same in eight bits
    samples[0, 2, -1] = 0x1334
    declared = chunk(b"tRNS", struct.pack(">H", 0x1234) * channels)
    found = decoded(png(samples, kind, 16, declared))
    assert (found[0, 0] == 255).all()
    assert (found[0, 1] == 0x12).all()
    assert found[0, 2].tolist() == ([0x13] * 3 if kind == GREY else [0x12, 0x12, 0x13])


@pytest.mark.parametrize(("kind", "channels", "depth"), [(GREY, 1, 4), (GREY, 1, 8), (RGB, 3, 8)])
def test_of_a_declared_colour_only_the_bits_of_a_sample_count(
    kind: int, channels: int, depth: int
) -> None:
    samples = np.full((2, 2, channels), 5)
    declared = chunk(b"tRNS", struct.pack(">H", 0x0F05 if depth == 8 else 0x0FF5) * channels)
    assert (decoded(png(samples, kind, depth, declared)) == 255).all()
