"""What is to be encoded as Parquet files: one row a chunk, a few chunks a file.

The chunks are those that a single process would encode, cut at the same places, so that every
batch holds the same texts wherever it is computed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cliper.encoders.store import KEY, KeyArray
from cliper.types import IndexArray

MOST_A_FILE = 16
SCHEMA = pa.schema(
    [("kind", pa.string()), ("keys", pa.binary()), ("contents", pa.list_(pa.string()))]
)


@dataclass(frozen=True)
class EncodingChunk:
    """Texts, or paths of pictures, that are encoded together.

    Attributes:
        kind: `text` or `image`.
        keys: (n,) content keys.
        contents: the n texts, or the n paths.
    """

    kind: str
    keys: KeyArray
    contents: Sequence[str]


def chunks_of(
    kind: str, positions: Sequence[IndexArray], keys: KeyArray, content_at: Callable[[int], str]
) -> Iterator[EncodingChunk]:
    """The chunks at these positions of `keys` (n,), made one at a time."""
    for todo in positions:
        yield EncodingChunk(kind, keys[todo], [content_at(int(i)) for i in todo])


def write_work(
    folder: Path, chunks: Iterator[EncodingChunk], count: int, workers: int
) -> list[Path]:
    """Write `count` chunks as Parquet files, enough of them to keep every worker busy.

    Args:
        folder: an empty folder that every worker sees.
        chunks: what to write.
        count: how many there are.
        workers: how many processes will share them.
    """
    size = int(np.clip(count // (8 * workers), 1, MOST_A_FILE))
    files: list[Path] = []
    rows: list[dict[str, object]] = []

    def flush() -> None:
        files.append(folder / f"{len(files):06d}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), files[-1])
        rows.clear()

    for chunk in chunks:
        raw = chunk.keys.astype(KEY).tobytes()
        rows.append({"kind": chunk.kind, "keys": raw, "contents": list(chunk.contents)})
        if len(rows) == size:
            flush()
    if rows:
        flush()
    return files


def read_chunk(row: dict[str, object]) -> EncodingChunk:
    """A row of `write_work`'s files as a chunk."""
    raw, contents = row["keys"], row["contents"]
    assert isinstance(raw, bytes) and isinstance(contents, list)
    return EncodingChunk(str(row["kind"]), np.frombuffer(raw, KEY), contents)
