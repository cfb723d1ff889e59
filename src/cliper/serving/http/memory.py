"""Memory that is free, given back to the system."""

import ctypes
from contextlib import suppress

import pyarrow as pa


def one_allocator() -> None:
    """Let Arrow take its memory from the C library, as everything else does.

    Its own allocator keeps what a thread has freed for that thread, in a server with threads for
    requests a little more at each change of the items, and `give_back` cannot reach it.
    """
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Ask glibc to return what it keeps for later; elsewhere nothing happens.

    What encodes an item and makes it recommendable takes and frees hundreds of MiB in pieces of all
    sizes. glibc keeps most of that, a little more each time: 150 MiB after 240 items, of which
    nothing is in use.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
