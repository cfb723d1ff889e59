"""BMP: the file header and the first fields of the information header."""

import struct

from cliper.data.pictures.header import Header

SIGNATURE = b"BM"
_RUN_LENGTHS = (1, 2)


def read_bmp(data: bytes) -> Header:
    """The header of a BMP.

    Raises:
        struct.error: it ends within its header.
    """
    (size,) = struct.unpack_from("<I", data, 14)
    compression = 0
    if size == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    # Pillow decodes run lengths in Python, a run at a time.
    costly = "a BMP in run lengths" if compression in _RUN_LENGTHS else None
    return Header("BMP", abs(width), abs(height), lambda: data, costly=costly)
