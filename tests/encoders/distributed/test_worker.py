"""Chunks as Parquet and the worker that encodes them, against the single process."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cliper.encoders.distributed.work import chunks_of, read_chunk, write_work
from cliper.encoders.distributed.worker import ChunkWorker
from cliper.encoders.encode_texts import open_rows
from cliper.encoders.store import content_key, text_keys

from ..encode_world import choose


@pytest.mark.parametrize(("count", "workers", "files"), [(1, 2, 1), (7, 2, 7), (160, 2, 16)])
def test_work_is_read_as_it_was_written(tmp_path, count, workers, files):
    texts = [f"text {i}" for i in range(3 * count)]
    keys = text_keys(texts)
    positions = [np.arange(3 * i, 3 * i + 3) for i in range(count)]
    written = write_work(
        tmp_path, chunks_of("text", positions, keys, texts.__getitem__), count, workers
    )
    assert len(written) == files
    chunks = [read_chunk(row) for path in written for row in pq.read_table(path).to_pylist()]
    assert len(chunks) == count
    assert [text for chunk in chunks for text in chunk.contents] == texts
    assert np.concatenate([chunk.keys for chunk in chunks]).tolist() == keys.tolist()


def test_a_worker_writes_what_the_encoder_says(tmp_path, clip_folder, pictures):
    settings = choose(str(clip_folder), batch_size=4)
    rows = open_rows(tmp_path, settings)
    job = {"root": str(tmp_path), "encoder": settings, "folder": str(rows.text_rows.folder)}
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    texts, files = ["a red shoe", "a blue mug", "long " * 200], [*pictures[:2], broken]
    keys = text_keys(texts)
    image = np.array([content_key(path.read_bytes()) for path in files])
    every = [np.arange(3)]
    chunks = [
        *chunks_of("text", every, keys, texts.__getitem__),
        *chunks_of("image", every, image, lambda i: str(files[i])),
    ]
    work = tmp_path / "work"
    work.mkdir()
    table = pa.table({"file": [str(f) for f in write_work(work, iter(chunks), 2, 1)]})
    worker = ChunkWorker(job)
    text, picture = pa.concat_tables(worker(table)).to_pylist()
    assert (text["texts"], text["truncated"], text["skipped"]) == (3, 1, False)
    assert (picture["images"], picture["unusable"]) == (2, 1)
    rows.text_rows.refresh()
    rows.image_rows.refresh()
    rows.failed.refresh()
    assert np.array_equal(rows.text_rows.read(keys), rows.encoder.encode_text(texts))
    expected = rows.encoder.encode_image(pictures[:2])
    assert np.array_equal(rows.image_rows.read(image[:2]), expected)
    assert rows.failed.holds(image).tolist() == [False, False, True]
    again = pa.concat_tables(worker(table)).to_pylist()
    # a chunk that lost a picture is not known by its name, it is encoded again into the same rows
    assert [row["skipped"] for row in again] == [True, False]
    rows.image_rows.refresh()
    assert np.array_equal(rows.image_rows.read(image[:2]), expected)


def test_a_worker_with_other_weights_refuses(tmp_path, clip_folder):
    other = str(tmp_path / "another" / "text")
    job = {"root": str(tmp_path), "encoder": choose(str(clip_folder)), "folder": other}
    answer = ChunkWorker(job).encode(next(chunks_of("text", [np.arange(1)], text_keys(["a"]), str)))
    assert "differ from the caller's" in answer["error"] and answer["texts"] == 0
