"""What headers say, against Pillow's reading of the same files, and what is made of nonsense."""

import io
import random
import struct

import numpy as np
import pytest
from PIL import Image

from cliper.data.pictures import DECODER_ERRORS, NoPicture, TooCostly, TooLarge, open_picture
from cliper.data.pictures.door import read_header
from cliper.data.pictures.header import BrokenHeader
from cliper.data.pictures.orientation import exif_orientation

RNG = np.random.default_rng(0)
NOISE = Image.fromarray(RNG.integers(0, 256, (37, 61, 4), dtype=np.uint8))
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


RGB = NOISE.convert("RGB")
FILES = {
    "jpeg": saved(RGB, "JPEG", exif=exif(6), comment=b"a comment", icc_profile=b"x" * 70_000),
    "jpeg-progressive": saved(RGB, "JPEG", progressive=True),
    "jpeg-grey": saved(NOISE.convert("L"), "JPEG"),
    "jpeg-cmyk": saved(NOISE.convert("CMYK"), "JPEG"),
    "jpeg-restarts": saved(RGB, "JPEG", restart_marker_rows=1),
    "png": saved(NOISE, "PNG", exif=exif(6), icc_profile=b"x" * 1_000),
    "png-palette": saved(RGB.quantize(9), "PNG", transparency=3),
    "png-bits": saved(RGB.quantize(2), "PNG", bits=1),
    "png-apng": saved(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]),
    "gif": saved(RGB.quantize(99), "GIF", transparency=5, comment=b"a comment" * 99),
    "gif-animated": saved(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "webp": saved(RGB, "WEBP"),
    "webp-lossless": saved(NOISE, "WEBP", lossless=True),
    "webp-exif": saved(NOISE, "WEBP", exif=exif(6)),
    "webp-animated": saved(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(9)]),
    "bmp": saved(RGB, "BMP"),
    "bmp-palette": saved(RGB.quantize(9), "BMP"),
}


@pytest.mark.parametrize("name", FILES)
def test_the_essence_of_a_file_decodes_to_the_same_pixels(name: str) -> None:
    data = FILES[name]
    header = read_header(data)
    assert header is not None
    assert header.form == name.split("-")[0].upper()
    assert (header.width, header.height) == (61, 37)
    essence = header.essential()
    assert len(essence) <= len(data)
    with Image.open(io.BytesIO(data)) as whole, Image.open(io.BytesIO(essence)) as bare:
        assert bare.mode == whole.mode
        assert "exif" not in bare.info or header.form in ("WEBP", "BMP")
        for mode in ("RGBA", "RGB"):
            got, expected = (np.asarray(one.convert(mode)) for one in (bare, whole))
            np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_is_what_pillow_reads(form: str, orientation: int) -> None:
    data = saved(RGB, form, exif=exif(orientation))
    assert open_picture(data).orientation == orientation
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[0x0112] == orientation


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientations_that_are_none(order: str) -> None:
    def tiff(tag: int, kind: int, value: bytes, at: int = 8, count: int = 1) -> bytes:
        head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", at)
        entry = struct.pack(f"{order}HHI", tag, kind, 1) + value.ljust(4, b"\0")
        return head + struct.pack(f"{order}H", count) + entry

    six = struct.pack(f"{order}H", 6)
    assert exif_orientation(tiff(0x0112, 3, six)) == 6
    assert exif_orientation(tiff(0x0112, 4, struct.pack(f"{order}I", 6))) == 6
    assert exif_orientation(tiff(0x0112, 2, six)) == 1
    assert exif_orientation(tiff(0x0113, 3, six)) == 1
    assert exif_orientation(tiff(0x0113, 3, six, count=65_535)) == 1
    assert exif_orientation(tiff(0x0112, 3, struct.pack(f"{order}H", 9))) == 1
    assert exif_orientation(tiff(0x0112, 3, six, at=2**32 - 1)) == 1
    for end in range(21):
        assert exif_orientation(tiff(0x0112, 3, six)[:end]) in (1, 6)


def test_any_damage_to_a_file_ends_in_a_reading_or_a_refusal() -> None:
    generator = random.Random(0)
    for data in FILES.values():
        for _ in range(60):
            broken = bytearray(
                data[: generator.choice([len(data), generator.randrange(len(data))])]
            )
            for _ in range(generator.randrange(1, 6)):
                if broken:
                    broken[generator.randrange(min(len(broken), 400))] = generator.randrange(256)
            try:
                header = read_header(bytes(broken))
            except BrokenHeader:
                continue
            if header is not None:
                assert len(header.essential()) <= len(broken) + 1
                assert header.width >= 0 and header.height >= 0


def test_sizes_at_the_limits() -> None:
    def png(width: int, height: int) -> bytes:
        return FILES["png"][:16] + struct.pack(">II", width, height) + FILES["png"][24:]

    def refused(data: bytes) -> bool:
        try:
            open_picture(data)
        except TooLarge:
            return True
        except NoPicture:  # the checksum of the header is wrong now
            return False
        except DECODER_ERRORS:
            return False
        return False

    assert not refused(png(8_000, 4_000))
    assert refused(png(8_000, 4_001))
    start = FILES["jpeg"].index(b"\xff\xc0") + 5
    for width, height, too_large in ((8_000, 8_000, False), (8_000, 8_001, True)):
        data = FILES["jpeg"]
        data = data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]
        assert refused(data) == too_large


def test_forms_that_are_slow_by_design() -> None:
    jpeg = FILES["jpeg-progressive"]
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    open_picture(jpeg[:-2] + scan * 80 + b"\xff\xd9")
    with pytest.raises(TooCostly, match="more than 100 scans"):
        open_picture(jpeg[:-2] + scan * 100 + b"\xff\xd9")
    with pytest.raises(TooCostly, match="arithmetic"):
        open_picture(FILES["jpeg"].replace(b"\xff\xc0", b"\xff\xc9", 1))
    bitmap = bytearray(FILES["bmp-palette"])
    bitmap[30] = 1
    with pytest.raises(TooCostly, match="run lengths"):
        open_picture(bytes(bitmap))
