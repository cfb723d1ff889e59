"""What every encoder must do, as a test class to inherit from.

An encoder of your own package is held to it with

    class TestMine(EncoderConformance):
        def create(self) -> DualEncoder:
            return create_encoder("mine")

and pytest. Texts and pictures are made here, so that nothing but the encoder is needed.
"""

import random
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from cliper.encoders import DualEncoder
from cliper.types import FloatArray

TEXTS = (
    "The product title is Wooden Train Set.",
    "The brand is Acme",
    "",
    "Größe: naïve café, 木制火车 и поезд 🚂",
    "A tale of " + "very many words, " * 40,
    "x",
)
"""Of several lengths and scripts, the empty text among them."""

TOO_LONG = "This description goes on and on, sentence after sentence. " * 400


def draw_pictures(folder: Path) -> list[Path]:
    """Smooth pictures of several shapes, without loss."""
    generator = np.random.default_rng(7)
    paths = []
    for index, size in enumerate([(64, 64), (90, 40), (33, 120), (200, 150), (31, 32)]):
        cells = generator.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        paths.append(folder / f"{index}.png")
        Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC).save(paths[-1])
    return paths


class EncoderConformance:
    """Inherit and say how the encoder is made.

    Attributes:
        tolerance: how much rows may differ, as a share of the largest value, when the same input
            comes in other company: sums are taken in another order then.
    """

    tolerance: ClassVar[float] = 1e-4
    _made: ClassVar[DualEncoder]

    def create(self) -> DualEncoder:
        """A fresh encoder; two of them must be equal."""
        raise NotImplementedError

    @pytest.fixture
    def encoder(self) -> DualEncoder:
        """One encoder a class, because making one may take long; tests leave it as it is."""
        mine = type(self)
        if "_made" not in vars(mine):
            mine._made = self.create()
        return mine._made

    @pytest.fixture
    def pictures(self, tmp_path: Path) -> list[Path]:
        """Files that every encoder can read."""
        return draw_pictures(tmp_path)

    def close(self, ours: FloatArray, expected: FloatArray) -> None:
        """Equal within the tolerance."""
        np.testing.assert_allclose(ours, expected, atol=self.tolerance * np.abs(expected).max())

    def test_it_says_what_it_is(self, encoder: DualEncoder) -> None:
        """The protocol's attributes are there and mean something."""
        assert isinstance(encoder, DualEncoder)
        assert encoder.name and encoder.width > 0 and encoder.max_tokens > 0
        assert len(encoder.hash) == 64 and int(encoder.hash, 16) >= 0

    def test_shapes_and_types(self, encoder: DualEncoder, pictures: list[Path]) -> None:
        """float32 (n, D), finite, also for nothing, for the empty text and for any script."""
        for rows, count in (
            (encoder.encode_text(TEXTS), len(TEXTS)),
            (encoder.encode_image(pictures), len(pictures)),
        ):
            assert rows.dtype == np.float32 and rows.shape == (count, encoder.width)
            assert np.isfinite(rows).all()
        assert encoder.encode_text([]).shape == (0, encoder.width)
        assert encoder.encode_image([]).shape == (0, encoder.width)

    def test_different_inputs_differ(self, encoder: DualEncoder, pictures: list[Path]) -> None:
        """No two texts, and no two pictures, get the same row."""
        for rows in (encoder.encode_text(TEXTS), encoder.encode_image(pictures)):
            distances = np.linalg.norm(rows[:, None] - rows[None, :], axis=2)
            np.fill_diagonal(distances, np.inf)
            assert distances.min() > self.tolerance * np.abs(rows).max()

    def test_company_does_not_matter(self, encoder: DualEncoder, pictures: list[Path]) -> None:
        """Neither padding, nor batch, nor order reaches a row."""
        texts = encoder.encode_text(TEXTS)
        self.close(np.concatenate([encoder.encode_text([text]) for text in TEXTS]), texts)
        self.close(encoder.encode_text(TEXTS[::-1])[::-1], texts)
        images = encoder.encode_image(pictures)
        self.close(np.concatenate([encoder.encode_image([path]) for path in pictures]), images)
        self.close(encoder.encode_image(pictures[::-1])[::-1], images)

    def test_equal_inputs_give_equal_bytes(
        self, encoder: DualEncoder, pictures: list[Path]
    ) -> None:
        """Again, twice in one call, and from another encoder with the same hash."""
        texts, images = encoder.encode_text(TEXTS), encoder.encode_image(pictures)
        assert encoder.encode_text(TEXTS).tobytes() == texts.tobytes()
        assert encoder.encode_image(pictures).tobytes() == images.tobytes()
        twice = encoder.encode_text([TEXTS[0], TEXTS[1], TEXTS[0]])
        assert twice[0].tobytes() == twice[2].tobytes()
        other = self.create()
        assert other.hash == encoder.hash
        assert other.encode_text(TEXTS).tobytes() == texts.tobytes()
        assert other.encode_image(pictures).tobytes() == images.tobytes()

    def test_a_text_far_beyond_the_limit(self, encoder: DualEncoder) -> None:
        """It is encoded, and alone or beside a short one makes no difference."""
        rows = encoder.encode_text([TOO_LONG, "x"])
        assert np.isfinite(rows).all()
        self.close(encoder.encode_text([TOO_LONG]), rows[:1])

    def test_a_picture_that_cannot_be_read(
        self, encoder: DualEncoder, pictures: list[Path], tmp_path: Path
    ) -> None:
        """Its row is NaN, and the others are what they are without it."""
        broken, absent = tmp_path / "broken.jpg", tmp_path / "absent.png"
        broken.write_bytes(b"\xff\xd8\xff\xe0 no more")
        rows = encoder.encode_image([pictures[0], broken, absent, pictures[1]])
        assert np.isnan(rows).all(axis=1).tolist() == [False, True, True, False]
        self.close(rows[[0, 3]], encoder.encode_image(pictures[:2]))

    def test_every_kind_of_picture(
        self, encoder: DualEncoder, pictures: list[Path], tmp_path: Path
    ) -> None:
        """Greyscale, palette and opaque alpha are what they look like."""
        original = Image.open(pictures[3]).convert("L").convert("RGB")
        ways = {"rgb": original, "grey": original.convert("L"), "alpha": original.convert("RGBA")}
        ways["palette"] = original.convert("L").convert("P")
        paths = []
        for name, image in ways.items():
            paths.append(tmp_path / f"{name}.png")
            image.save(paths[-1])
        rows = encoder.encode_image(paths)
        self.close(rows[1:], np.broadcast_to(rows[0], rows[1:].shape))

    def test_random_state_is_left_alone(self, encoder: DualEncoder) -> None:
        """Making and using an encoder draws nothing from anybody's generator."""
        states = []
        for used in (False, True):
            random.seed(1)
            np.random.seed(1)
            torch.manual_seed(1)
            if used:
                self.create().encode_text(TEXTS[:2])
            states.append((random.random(), np.random.rand(), float(torch.rand(1))))
        assert states[0] == states[1]
