"""Pictures read by a child process, against Pillow's reading of the same files in this one."""

import io
import os
import struct
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image, ImageOps

from cliper.data.pictures import PictureError, check_picture, process, read_picture

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (37, 61, 4), dtype=np.uint8))
RGB = NOISE.convert("RGB")
FRAMES = [Image.new("P", (61, 37), n) for n in range(3)]


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0110] = "A camera of some name"
    tags[0x0112] = orientation
    return tags


FILES = {
    "jpeg": saved(RGB, "JPEG", comment=b"a comment", icc_profile=b"x" * 70_000),
    "jpeg-progressive": saved(RGB, "JPEG", progressive=True),
    "jpeg-grey": saved(NOISE.convert("L"), "JPEG"),
    "jpeg-cmyk": saved(NOISE.convert("CMYK"), "JPEG"),
    "jpeg-restarts": saved(RGB, "JPEG", restart_marker_rows=1),
    "png": saved(RGB, "PNG", icc_profile=b"x" * 1_000),
    "png-bits": saved(RGB.quantize(2), "PNG", bits=1),
    "png-apng": saved(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]),
    "gif": saved(RGB.quantize(99), "GIF", comment=b"a comment" * 99),
    "gif-animated": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "webp": saved(RGB, "WEBP"),
    "webp-lossless": saved(RGB, "WEBP", lossless=True),
    "webp-animated": saved(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(9)]),
    "bmp": saved(RGB, "BMP"),
    "bmp-palette": saved(RGB.quantize(9), "BMP"),
    "avif": saved(RGB, "AVIF"),
    "tiff": saved(RGB, "TIFF"),
    "tiff-deflate": saved(RGB, "TIFF", compression="tiff_deflate"),
}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No child is waiting, and those that this test began end with it."""
    idle: list[object] = []
    monkeypatch.setattr(process, "_idle", idle)
    yield monkeypatch
    for child in idle:
        child.end()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_what_pillow_reads(name: str) -> None:
    assert check_picture(FILES[name]) == name.split("-")[0].upper()
    with Image.open(io.BytesIO(FILES[name])) as expected:
        np.testing.assert_array_equal(read_picture(FILES[name]), expected.convert("RGB"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(9))
def test_the_orientation_is_undone_as_pillow_does(form: str, orientation: int) -> None:
    data = saved(RGB, form, exif=exif(orientation))
    with Image.open(io.BytesIO(data)) as image:
        expected = ImageOps.exif_transpose(image)
    np.testing.assert_array_equal(read_picture(data), expected)


def test_a_jpeg_is_reduced_as_far_as_both_sides_allow() -> None:
    data = saved(Image.new("RGB", (1_000, 700)), "JPEG")
    assert [read_picture(data, least).size for least in (80, 90, 224, 600)] == [
        (125, 88), (250, 175), (500, 350), (1_000, 700),
    ]  # fmt: skip


def refused(data: bytes) -> str:
    with pytest.raises(PictureError) as caught:
        check_picture(data)
    with pytest.raises(PictureError, match=str(caught.value)):
        read_picture(data)
    return caught.value.cause


def test_what_cannot_be_read_is_told_apart() -> None:
    assert refused(b"") == refused(b"no picture") == refused(b"%!PS-Adobe-3.0 EPSF-3.0\n") == "kind"
    assert refused(FILES["jpeg"][:-300]) == "truncated"
    assert refused(FILES["avif"][:-300]) == "kind"  # as Pillow has it
    flipped = bytearray(FILES["png"])
    flipped[-100] ^= 0xFF
    assert refused(bytes(flipped)) == "damaged"


def test_sizes_at_the_limits() -> None:
    start = FILES["jpeg"].index(b"\xff\xc0") + 5

    def sized(height: int) -> bytes:
        size = struct.pack(">HH", height, 8_000)
        return FILES["jpeg"][:start] + size + FILES["jpeg"][start + 4 :]

    assert refused(sized(8_001)) == "pixels"
    assert check_picture(sized(8_000)) == "JPEG"  # libjpeg fills up what is missing with grey
    assert refused(saved(Image.new("1", (8_001, 4_000)), "PNG")) == "pixels"
    assert check_picture(saved(Image.new("1", (8_000, 4_000)), "PNG")) == "PNG"


def runs(count: int) -> bytes:
    """A BMP in run lengths, which Pillow reads a run at a time, in Python."""
    side = int(count**0.5)
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    body = (b"\x01\x07" * side + b"\0\0") * side
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + 1024) + head + bytes(1024) + body


@pytest.mark.skipif(find_spec("resource") is None, reason="limits are Unix's")
def test_a_picture_that_takes_too_long_costs_its_child_alone(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(process, "MAX_SECONDS", 0)
    assert check_picture(runs(10_000)) == "BMP"
    assert refused(runs(20_000_000)) == "costly"
    assert check_picture(FILES["png"]) == "PNG"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted on Linux")
def test_a_picture_that_takes_too_much_memory_is_refused(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(process, "MAX_MEMORY", 40 * 2**20)
    large = saved(Image.new("RGB", (5_000, 5_000)), "PNG")
    assert refused(large) == "memory"
    assert check_picture(FILES["png"]) == "PNG"


def test_a_child_that_died_unasked_is_begun_anew(fresh: pytest.MonkeyPatch) -> None:
    assert check_picture(FILES["png"]) == "PNG"
    (child,) = process._idle
    child.process.kill()
    child.process.wait()
    assert check_picture(FILES["png"]) == "PNG"
    assert len(process._idle) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_children_of_its_own(fresh: pytest.MonkeyPatch) -> None:
    check_picture(FILES["png"])
    pid = os.fork()
    if pid == 0:
        os._exit(len(process._idle))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


HEIC_HEAD = b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1heicmiaf" + bytes(100)


@pytest.mark.skipif(find_spec("pillow_heif") is not None, reason="the extra heif is installed")
def test_heic_names_its_extra() -> None:
    with pytest.raises(PictureError, match=r"pip install 'cliper\[heif\]'") as caught:
        check_picture(HEIC_HEAD)
    assert caught.value.cause == "kind"


@pytest.mark.skipif(
    find_spec("pillow_heif") is None,
    reason="needs the extra heif, whose wheels hold GPL code: no other extra has it (ADR 52)",
)
def test_heic_is_read_where_the_extra_is() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = saved(RGB, "HEIF", quality=90, exif=exif(6))
    assert check_picture(data) == "HEIF"
    with Image.open(io.BytesIO(data)) as image:  # turned by its library
        np.testing.assert_array_equal(read_picture(data), image.convert("RGB"))
    for cut in (40, 200, len(data) - 40):
        assert refused(data[:cut]) in ("kind", "damaged", "truncated")
    assert refused(HEIC_HEAD) == "kind"
