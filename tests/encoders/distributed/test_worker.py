"""The worker that encodes chunks, against the single process."""

from dataclasses import replace

import numpy as np
import pytest

from cliper.encoders.distributed.report import ChunkReport
from cliper.encoders.distributed.worker import ChunkWorker, encode_images, encode_texts
from cliper.encoders.encode import open_rows
from cliper.encoders.store import content_key, text_keys
from cliper.errors import InputError

from ..encode_world import choose


def test_a_worker_writes_what_the_encoder_says(tmp_path, clip_folder, pictures):
    settings = choose(str(clip_folder), batch_size=4)
    rows = open_rows(tmp_path, settings)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    texts, files = ["a red shoe", "a blue mug", "long " * 200], [*pictures[:2], broken]
    keys = text_keys(texts)
    image = np.array([content_key(path.read_bytes()) for path in files])
    worker = ChunkWorker(tmp_path, settings, rows.text_rows.folder)
    text, picture = encode_texts(worker, keys, texts), encode_images(worker, image, files)
    assert replace(text, seconds=0) == ChunkReport(worker.name, texts=3, truncated=1)
    assert replace(picture, seconds=0) == ChunkReport(worker.name, images=2, unusable=1)
    rows.text_rows.refresh()
    rows.image_rows.refresh()
    rows.failed.refresh()
    assert np.array_equal(rows.text_rows.read(keys), rows.encoder.encode_text(texts))
    expected = rows.encoder.encode_image(pictures[:2])
    assert np.array_equal(rows.image_rows.read(image[:2]), expected)
    assert rows.failed.holds(image).tolist() == [False, False, True]
    assert encode_texts(worker, keys, texts).skipped
    # a chunk that lost a picture is not known by its name, it is encoded again into the same rows
    assert not encode_images(worker, image, files).skipped
    rows.image_rows.refresh()
    assert np.array_equal(rows.image_rows.read(image[:2]), expected)


def test_a_worker_with_other_weights_refuses(tmp_path, clip_folder):
    with pytest.raises(InputError, match="differ from the caller's"):
        ChunkWorker(tmp_path, choose(str(clip_folder)), tmp_path / "another" / "text")
