"""`ChunkWorker`: encodes chunks into the store. It knows no engine; Ray's actors hold one each."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from cliper.encoders.distributed.work import EncodingChunk, read_chunk
from cliper.encoders.encode_fill import add_images
from cliper.encoders.encode_texts import open_rows
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError


class Job(TypedDict):
    """What a worker must know; plain values, so that any engine can carry it.

    Attributes:
        root: the store's folder, on a file system that all workers share.
        encoder: its settings.
        folder: where the caller's encoder keeps its rows. A worker whose weights differ would
            name another folder, and refuses.
    """

    root: str
    encoder: EncoderSettings
    folder: str


class ChunkWorker:
    """Encodes chunks; what is written is written whole, so it may be killed at any moment.

    Args:
        job: what to encode with, and where to.
    """

    def __init__(self, job: Job) -> None:
        self.error: str | None = None
        try:
            self.rows = open_rows(Path(job["root"]), job["encoder"])
            if str(self.rows.text_rows.folder) != job["folder"]:
                raise InputError(
                    f"this machine's weights of {job['encoder'].name!r} differ from the caller's",
                    where=socket.gethostname(),
                    remedy="install the same version, or name the same weights",
                )
        except InputError as error:  # an exception's arguments do not survive the way back
            self.error = str(error)
        self.name = f"{socket.gethostname()}:{os.getpid()}"

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        """Names of `write_work`'s files to one row of counts a chunk; for `map_batches`."""
        for name in batch["file"].to_pylist():
            for row in pq.read_table(name).to_pylist():
                yield pa.Table.from_pylist([self.encode(read_chunk(row))])

    def encode(self, chunk: EncodingChunk) -> dict[str, Any]:
        """Encode one chunk unless it is in the store; returns what was done."""
        done: dict[str, Any] = {
            "worker": self.name, "texts": 0, "images": 0, "unusable": 0, "truncated": 0,
            "skipped": False, "seconds": 0.0, "error": self.error or "",
        }  # fmt: skip
        if self.error is not None:
            return done
        started = perf_counter()
        rows = self.rows
        if chunk.kind == "text":
            if rows.text_rows.has_chunk(chunk.keys):
                return {**done, "skipped": True}
            before = rows.truncated
            rows.text_rows.append(chunk.keys, rows.encode_text(chunk.contents))
            done |= {"texts": len(chunk.keys), "truncated": rows.truncated - before}
        else:
            if rows.image_rows.has_chunk(chunk.keys):
                return {**done, "skipped": True}
            paths = [Path(path) for path in chunk.contents]
            good = add_images(rows.image_rows, rows.failed, chunk.keys, paths, rows.encode_image)
            done |= {"images": good, "unusable": len(paths) - good}
        return {**done, "seconds": perf_counter() - started}
