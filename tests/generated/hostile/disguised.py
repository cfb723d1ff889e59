"""Files that are no pictures, under a picture's name, and pictures of kinds that are not taken."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np

from generated.hostile.case import HostileImage, looping_exif


def disguised_images(seed: int) -> Iterator[HostileImage]:
    """Everything here is to be refused."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 256, 1_000_000, dtype=np.uint8).tobytes()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("picture.jpg", bytes(10_000_000))
    svg = (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/>&b;</svg>'
    )
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99999 99999\n(%pipe%id) (w) file\n"
    fli = struct.pack("<IHHHHHHI", 128, 0xAF12, 65_535, 65_535, 65_535, 8, 3, 0) + bytes(108)
    psd = b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(12)
    icon = b"\x00\x00\x01\x00\x01\x00" + struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 40, 22)
    cases: list[tuple[str, bytes, str]] = [
        ("empty.jpg", b"", "no bytes"),
        ("one-byte.png", b"\x89", "one byte"),
        ("zeros.jpg", bytes(1_000_000), "a megabyte of zeros"),
        ("noise.png", noise, "a megabyte of noise"),
        ("text.jpg", b"Not found\n", "text"),
        ("page.jpg", b"<!DOCTYPE html><html><title>404</title></html>", "an HTML page"),
        ("json.webp", b'{"error": "no such image"}', "JSON"),
        ("drawing.png", svg, "SVG with entities and a file reference"),
        ("document.jpg", b"%PDF-1.7\n1 0 obj\n<< /OpenAction 2 0 R >>\n", "PDF"),
        ("archive.png", archive.getvalue(), "a ZIP archive"),
        ("packed.jpg", gzip.compress(bytes(10_000_000)), "gzip"),
        ("zlib.png", zlib.compress(bytes(1_000_000)), "zlib"),
        ("program.gif", b"\x7fELF\x02\x01\x01" + bytes(500), "a program"),
        ("postscript.jpg", postscript, "PostScript that runs a command"),
        ("tiff-loop.png", looping_exif(3), "TIFF that leads to itself"),
        ("portable.png", b"P6 60000 60000 255\n" + bytes(100), "a pixmap of 3.6 gigapixels"),
        ("photoshop.jpg", psd, "Photoshop, 900 megapixels"),
        ("icon.png", icon, "an icon"),
        ("animation.gif", fli, "an Autodesk animation"),
        ("avif.jpg", b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(200), "AVIF"),
        ("jpeg2000.jpg", b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(200), "JPEG 2000"),
        ("tga.png", bytes([0, 0, 10]) + bytes(9) + struct.pack("<HHBB", 65_535, 65_535, 32, 0)
         + b"\xff\x00\x00\x00\x00" * 200, "a Targa picture of 4 gigapixels"),
    ]  # fmt: skip
    for name, data, about in cases:
        yield HostileImage(name, data, "refused", about)
