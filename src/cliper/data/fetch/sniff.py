"""What a body looks like that is no picture: for reports, never for a decision."""

import re

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"8BPS", "a Photoshop picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"%!PS", "PostScript"),
    (b"OggS", "sound or video"),
    (b"ID3", "sound or video"),
    (b"\x1aE\xdf\xa3", "sound or video"),
)
_BRANDS = dict.fromkeys((b"heic", b"heix", b"mif1"), "a HEIC picture")
_MARKUP = (
    (re.compile(rb"<svg[\s>]", re.I), "an SVG drawing"),
    (re.compile(rb"<(!doctype\s+html|html|head|body|script|title)[\s>]", re.I), "an HTML page"),
    (re.compile(rb"<Error>|<\?xml", re.I), "an XML document"),
)

_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG", "PNG"), (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"),
)  # fmt: skip


def begins_like(data: bytes) -> str | None:
    """The picture format that some bytes begin like, whatever follows.

    >>> begins_like(b"GIF89a and then nonsense"), begins_like(b"<html>")
    ('GIF', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    return next((form for sign, form in _BEGINNINGS if data.startswith(sign)), None)


def looks_like(data: bytes, content_type: str = "") -> str:
    """A few words on what some bytes are.

    >>> looks_like(b"<!DOCTYPE html><title>Not found</title>")
    'an HTML page'

    Args:
        data: the whole body, or its first kilobyte.
        content_type: what the server says, used where the bytes say nothing.
    """
    head = data[:1024]
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "sound or video")
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return what
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"<"):
        return next((what for pattern, what in _MARKUP if pattern.search(text)), "markup")
    if text[:1] in (b"{", b"["):
        return "JSON"
    kind = content_type.partition(";")[0].strip().lower()[:60]
    if not any(byte < 9 for byte in head):
        return f"text ({kind})" if kind else "text"
    return f"unknown data ({kind})" if kind else "unknown data"
