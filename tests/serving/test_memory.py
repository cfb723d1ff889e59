"""Memory that is free goes back to the system."""

import os
import platform
from pathlib import Path

import pytest
import torch

from cliper.serving.http.memory import give_back


def resident() -> int:
    """Bytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what is asked is glibc")
def test_freed_pieces_go_back() -> None:
    pieces = [torch.ones(16_000) for _ in range(2000)]  # 64 kB each, 128 MB
    kept = pieces[::100]  # so that the heap's end is not free
    full = resident()
    pieces.clear()
    give_back()
    assert resident() < full - 80_000_000
    assert len(kept) == 20
