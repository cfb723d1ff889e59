"""What a worker does: it encodes chunks into the store, whole or not at all."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from cliper.encoders.distributed.report import ChunkReport
from cliper.encoders.encode import open_rows
from cliper.encoders.encode_fill import add_images
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import KeyArray
from cliper.errors import InputError


class ChunkWorker:
    """An encoder and its store, in one worker.

    Args:
        root: the store's folder, on a file system that all workers share.
        settings: of the encoder.
        folder: where the caller's encoder keeps its rows.

    Raises:
        InputError: no such encoder here, or weights that differ from the caller's.
    """

    def __init__(self, root: Path, settings: EncoderSettings, folder: Path) -> None:
        self.rows = open_rows(root, settings)
        if self.rows.text_rows.folder != folder:
            raise InputError(
                f"this machine's weights of {settings.name!r} differ from the caller's",
                where=socket.gethostname(),
                remedy="install the same version, or name the same weights",
            )
        self.name = f"{socket.gethostname()}:{os.getpid()}"


def encode_texts(worker: ChunkWorker, keys: KeyArray, texts: Sequence[str]) -> ChunkReport:
    """Encode n texts under their keys (n,), unless a worker that died has written them."""
    rows = worker.rows
    if rows.text_rows.has_chunk(keys):
        return ChunkReport(worker.name, skipped=True)
    started, before = perf_counter(), rows.truncated
    rows.text_rows.append(keys, rows.encode_text(texts))
    return ChunkReport(
        worker.name,
        texts=len(keys),
        truncated=rows.truncated - before,
        seconds=perf_counter() - started,
    )


def encode_images(worker: ChunkWorker, keys: KeyArray, paths: Sequence[Path]) -> ChunkReport:
    """Encode n pictures under their keys (n,), unless a worker that died has written them."""
    rows = worker.rows
    if rows.image_rows.has_chunk(keys):
        return ChunkReport(worker.name, skipped=True)
    started = perf_counter()
    good = add_images(rows.image_rows, rows.failed, keys, paths, rows.encode_image)
    return ChunkReport(
        worker.name, images=good, unusable=len(paths) - good, seconds=perf_counter() - started
    )
