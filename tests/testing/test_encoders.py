"""The suite for encoders finds what it is there to find: each wrong encoder fails its test."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cliper.testing.encoders import EncoderConformance

WIDTH = 4


def row(content: bytes) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(content).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)


class Right:
    """Rows that only the content decides."""

    name, width, max_tokens, hash = "right", WIDTH, 8, "0" * 64

    def encode_text(self, texts):
        return np.stack([row(t.encode()) for t in texts]) if texts else np.empty((0, WIDTH), "f4")

    def encode_image(self, images):
        rows = np.full((len(images), WIDTH), np.nan, np.float32)
        for index, path in enumerate(images):
            try:
                with Image.open(path) as image:
                    rows[index] = row(image.convert("RGB").tobytes())
            except OSError:
                continue
        return rows


class SeesItsBatch(Right):
    def encode_text(self, texts):
        return super().encode_text(texts) + np.float32(len(texts))


class StopsAtABrokenPicture(Right):
    def encode_image(self, images):
        for path in images:
            Image.open(path).load()
        return super().encode_image(images)


class ReadsBytesNotPictures(Right):
    def encode_image(self, images):
        rows = [row(p.read_bytes()) if p.is_file() else [np.nan] * WIDTH for p in images]
        return np.array(rows, np.float32).reshape(-1, WIDTH)


class DoublePrecision(Right):
    def encode_text(self, texts):
        return super().encode_text(texts).astype(np.float64)


class AllAlike(Right):
    def encode_text(self, texts):
        return np.ones((len(texts), WIDTH), np.float32)


class Draws(Right):
    def encode_text(self, texts):
        torch.rand(1)
        return super().encode_text(texts)


class NewEachTime(Right):
    def __init__(self):
        self.hash = f"{id(self):064x}"


class SaltedHash(Right):
    salt = 0

    def __init__(self):
        SaltedHash.salt += 1
        self.mine = str(SaltedHash.salt).encode()

    def encode_text(self, texts):
        rows = [row(self.mine + t.encode()) for t in texts]
        return np.stack(rows) if rows else np.empty((0, WIDTH), "f4")


class TestRight(EncoderConformance):
    def create(self):
        return Right()


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (SeesItsBatch, "test_company_does_not_matter"),
        (StopsAtABrokenPicture, "test_a_picture_that_cannot_be_read"),
        (ReadsBytesNotPictures, "test_every_kind_of_picture"),
        (DoublePrecision, "test_shapes_and_types"),
        (AllAlike, "test_different_inputs_differ"),
        (Draws, "test_random_state_is_left_alone"),
        (NewEachTime, "test_equal_inputs_give_equal_bytes"),
        (SaltedHash, "test_equal_inputs_give_equal_bytes"),
    ],
)
def test_a_wrong_encoder_fails(wrong, test, tmp_path: Path):
    from cliper.testing.encoders import draw_pictures

    class Suite(EncoderConformance):
        def create(self):
            return wrong()

    suite, method = Suite(), getattr(Suite, test)
    wanted = method.__code__.co_varnames[1 : method.__code__.co_argcount]
    given = {"encoder": wrong(), "pictures": draw_pictures(tmp_path), "tmp_path": tmp_path}
    with pytest.raises((AssertionError, OSError)):
        method(suite, **{name: given[name] for name in wanted})
