"""Memory that is free goes back to the system."""

import os
import platform
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from cliper.serving.http.memory import give_back, one_allocator

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is asked is glibc")


def resident() -> int:
    """Bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@GLIBC
def test_freed_pieces_go_back() -> None:
    pieces = [torch.ones(16_000) for _ in range(2000)]  # 64 kB each, 128 MB
    kept = pieces[::100]  # so that the heap's end is not free
    full = resident()
    pieces.clear()
    give_back()
    assert resident() < full - 80_000_000
    assert len(kept) == 20


@GLIBC
def test_what_arrow_has_freed_in_threads_that_live_on_goes_back() -> None:
    usual = pa.default_memory_pool()
    ready, end = threading.Barrier(5, timeout=60), threading.Event()
    kept: list[pa.Array] = []

    def work() -> None:
        ids = pa.array(np.arange(8000))
        pieces = [ids.take(ids) for _ in range(500)]  # 64 kB each
        ready.wait()
        kept.extend(pieces[::100])
        pieces.clear()
        ready.wait()
        end.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    one_allocator()
    try:
        for thread in threads:
            thread.start()
        ready.wait()
        full = resident()
        ready.wait()
        give_back()
        assert resident() < full - 80_000_000
        assert len(kept) == 20
    finally:
        pa.set_memory_pool(usual)
        end.set()
