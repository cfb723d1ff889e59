"""Pictures of every mode to RGB, and batches that overlap decoding with computing."""

import struct
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cliper.encoders import images
from cliper.encoders.images import ImageError, decode_batches, open_rgb

RED, WHITE = (200, 30, 40), (255, 255, 255)


def colour(image: Image.Image) -> tuple[int, ...]:
    assert image.mode == "RGB"
    return tuple(int(c) for c in np.asarray(image)[image.height // 2, image.width // 2])


def test_every_mode_becomes_the_same_rgb(tmp_path: Path) -> None:
    red = Image.new("RGB", (40, 30), RED)
    red.save(tmp_path / "rgb.png")
    red.convert("RGBA").save(tmp_path / "rgba.png")
    red.quantize(8).save(tmp_path / "palette.png")
    red.save(tmp_path / "bitmap.bmp")
    red.save(tmp_path / "jpeg.jpg", quality=95)
    red.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    red.quantize(8).save(tmp_path / "gif.gif")
    red.save(tmp_path / "webp.webp", lossless=True)
    for path in sorted(tmp_path.iterdir()):
        assert np.abs(np.subtract(colour(open_rgb(path)), RED)).max() <= 4, path.name


def test_grey_is_grey_and_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 77).save(tmp_path / "grey.png")
    Image.fromarray(np.full((8, 8), 77 * 256, np.uint16)).save(tmp_path / "deep.png")
    Image.new("1", (8, 8), 1).save(tmp_path / "bit.png")
    assert colour(open_rgb(tmp_path / "grey.png")) == (77, 77, 77)
    assert colour(open_rgb(tmp_path / "deep.png")) == (77, 77, 77)
    assert colour(open_rgb(tmp_path / "bit.png")) == WHITE


def test_transparency_shows_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("LA", (8, 8), (0, 0)).save(tmp_path / "grey.png")
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([1, 2, 3])
    palette.save(tmp_path / "palette.png", transparency=0)
    for path in sorted(tmp_path.iterdir()):
        assert colour(open_rgb(path)) == WHITE, path.name


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = WHITE  # the mark belongs to the top left corner
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(np.ascontiguousarray(undo(upright))).save(path, exif=exif, quality=95)
    got = np.asarray(open_rgb(path))
    assert got.shape == (32, 48, 3)
    assert got[4, 4].min() > 240 and got[28, 44].max() < 15 and got[4, 44].max() < 15


def test_a_large_jpeg_is_decoded_small_but_not_below_what_is_asked(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 1600), RED).save(tmp_path / "large.jpg")
    small = open_rgb(tmp_path / "large.jpg", at_least=224)
    assert 224 <= min(small.size) < 1600
    assert open_rgb(tmp_path / "large.jpg").size == (2000, 1600)


def broken(folder: Path, name: str) -> Path:
    path = folder / name
    good = folder / "good.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(good)
    if name == "truncated.jpg":
        path.write_bytes(good.read_bytes()[:900])
    elif name == "text.jpg":
        path.write_text("<html>not found</html>")
    elif name == "empty.png":
        path.write_bytes(b"")
    elif name == "bomb.png":  # 200 megapixels that take a few bytes
        header = struct.pack(">IIBBBBB", 20000, 10000, 8, 2, 0, 0, 0)

        def chunk(kind: bytes, data: bytes) -> bytes:
            crc = struct.pack(">I", zlib.crc32(kind + data))
            return struct.pack(">I", len(data)) + kind + data + crc

        body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


REASONS = {
    "missing.jpg": "no such file",
    "truncated.jpg": "broken or truncated",
    "text.jpg": "not an image",
    "empty.png": "not an image",
    "bomb.png": "too many pixels",
}


@pytest.mark.parametrize("name", REASONS)
def test_a_useless_picture_has_a_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match=REASONS[name]):
        open_rgb(broken(tmp_path, name))


def numbered(folder: Path, count: int) -> list[Path]:
    paths = []
    for i in range(count):
        paths.append(folder / f"{i}.png")
        Image.new("RGB", (8, 8), (i, 0, 0)).save(paths[-1])
    return paths


@pytest.mark.parametrize("batch_size", [1, 3, 10, 64])
@pytest.mark.parametrize("workers", [1, 3])
def test_batches_keep_order_and_account_for_every_path(
    tmp_path: Path, batch_size: int, workers: int
) -> None:
    paths = numbered(tmp_path, 10)
    paths[4].write_bytes(b"")
    paths[9].unlink()
    seen, failed = [], []
    for batch in decode_batches(paths, np.asarray, batch_size, workers):
        assert batch.pixels.shape[0] == len(batch.indices) <= batch_size
        if len(batch.indices):
            assert batch.pixels[:, 0, 0, 0].tolist() == batch.indices.tolist()
        seen += batch.indices.tolist()
        failed += [(f.index, f.reason) for f in batch.failures]
    assert seen == [0, 1, 2, 3, 5, 6, 7, 8]
    assert failed == [(4, "not an image"), (9, "no such file")]


def test_decoding_stays_a_bounded_way_ahead_and_stops_with_its_consumer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = threading.Semaphore(0)
    monkeypatch.setattr(images, "open_rgb", lambda *_: count.release())
    batches = decode_batches([tmp_path] * 1000, lambda _: np.zeros((2, 2, 3)), 10, 4)
    next(batches)
    time.sleep(0.2)
    batches.close()
    assert count._value <= 30
