"""Tables of items' features: what is large lies in a file, and the machine's memory is not asked.

A file that is mapped into memory takes as much of it as is free, and gives it back.
"""

import errno
import os
import tempfile
from pathlib import Path

import numpy as np

from cliper.files import naming
from cliper.types import FloatArray

LARGE = 2**28
"""Bytes of a table from which on it is not copied into memory."""

_NOT_THERE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT)


def zeros(rows: int, width: int, folder: Path | None) -> FloatArray:
    """A table (rows, width) of zeros, to be filled; a large one lies in a file without a name.

    The file is gone with the last who uses the table, and with this process however it ends.

    Args:
        rows, width: its shape.
        folder: where the file belongs; None, and one that cannot be written to, for memory.

    Raises:
        OSError: the disk is full.

    >>> zeros(2, 3, None).shape
    (2, 3)
    """
    size = rows * width * np.dtype(np.float32).itemsize
    if folder is None or size < LARGE:
        return np.zeros((rows, width), np.float32)
    try:
        with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):  # a full disk is an error now, not a signal later
                os.posix_fallocate(file.fileno(), 0, size)
            return np.memmap(file, np.float32, "r+", shape=(rows, width))
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return np.zeros((rows, width), np.float32)
