"""A dataset of items that have nothing but addresses, and settings that do not wait."""

import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cliper.cli import main
from cliper.data import Catalogue, Dataset, Interactions, Vocabulary
from cliper.data.fetch import FetchSettings, fetch_images

FAST: dict[str, Any] = {
    "allowed_hosts": ("127.0.0.1",), "rate": 1e5, "backoff": 0.01, "total_timeout": 2.0,
    "read_timeout": 1.0, "max_bytes": 200_000,
}  # fmt: skip


def make(
    path: Path, urls: list[tuple[str, ...]], images: list[str | None] | None = None
) -> Dataset:
    items = Vocabulary([f"i{n}" for n in range(len(urls))])
    log = Interactions(Vocabulary(["u"]), items, np.zeros(1, int), np.zeros(1, int))
    table = pa.table({"title": [f"Thing {n}" for n in range(len(urls))]})
    names = tuple(images or [None] * len(urls))
    return Dataset("toy", log, Catalogue(items, table, names, path, tuple(urls))).save(path)


def fetch_in_child(path: Path, settings: dict[str, Any]) -> None:
    """What a process of its own does; its exit status is the command line's."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        fetch_images(Dataset.load(path), FetchSettings(**settings))
    except KeyboardInterrupt:
        sys.exit(130)


def command_in_child(path: Path, arguments: list[str]) -> None:
    """The command line in a process of its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main(["images", str(path), *arguments]))
