"""How a camera was held: one tag of EXIF, read without anything else of it.

EXIF is a web of offsets: a general reader follows them, and a file of 64 kB can make it copy
gigabytes. The orientation stands in the first directory, so nothing has to be followed.
"""

import struct

from PIL import Image

_TAG = 0x0112
_SHORT, _LONG = 3, 4
_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def exif_orientation(tiff: bytes) -> int:
    """The orientation that EXIF data name, 1 (upright) where they name none.

    >>> exif_orientation(bytes.fromhex("4d4d002a 00000008 0001 011200030000000100060000"))
    6

    Args:
        tiff: the TIFF structure, without the prefix that JPEG puts before it.
    """
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", tiff, entry)
            if tag == _TAG and kind in (_SHORT, _LONG):
                form = "H" if kind == _SHORT else "I"
                (value,) = struct.unpack_from(f"{order}{form}", tiff, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture as it was seen; the same object where it is upright already."""
    method = _UNDO.get(orientation)
    return image if method is None else image.transpose(method)
