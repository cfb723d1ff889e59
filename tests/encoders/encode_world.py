"""A small catalogue on disk and encoders that count what they are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from cliper.data.catalogue import Catalogue
from cliper.data.dataset import Dataset
from cliper.data.interactions import Interactions
from cliper.data.vocabulary import Vocabulary
from cliper.encoders.images import ImageFailure
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import content_key


def choose(name: str = "embedded", **more: object) -> EncoderSettings:
    return EncoderSettings.parse({"name": name, **more}, where="encoder")


@dataclass
class FakeViews:
    names: tuple[str, ...]
    texts: list[list[str | None]]
    whole: list[str | None]


def views_of(n: int, brand: str = "The brand is {}", title: str = "The title is {}") -> FakeViews:
    titles = [None if i == 1 else title.format(f"thing {i}") for i in range(n)]
    brands = [None if i in (1, 2) else brand.format(f"maker {i % 3}") for i in range(n)]
    whole = [" ".join(t for t in pair if t) or None for pair in zip(titles, brands, strict=True)]
    return FakeViews(("title", "brand"), [titles, brands], whole)


def dataset_of(folder: Path, n: int) -> Dataset:
    """N items with an 8 x 8 picture each; item 3 has none, item 4's is gone, item 5's broken."""
    items = Vocabulary([f"i{i}" for i in range(n)])
    none = np.zeros(0, np.int64)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for i in range(n):
        paint(folder, i, (i, 0, 0))
    (folder / "images" / "4.png").unlink()
    (folder / "images" / "5.png").write_bytes(b"not a picture")
    images = tuple(None if i == 3 else f"images/{i}.png" for i in range(n))
    table = pa.table({"title": [f"thing {i}" for i in range(n)]})
    catalogue = Catalogue(items, table, images, folder)
    return Dataset("small", Interactions(Vocabulary(["u"]), items, none, none), catalogue, folder)


def paint(folder: Path, i: int, colour: tuple[int, int, int]) -> None:
    Image.new("RGB", (8, 8), colour).save(folder / "images" / f"{i}.png")


def row(content: bytes, width: int) -> np.ndarray:
    """A row that only the content decides."""
    rng = np.random.default_rng(int(content_key(content), 16) % 2**64)
    return rng.normal(size=width).astype(np.float32)


class CountingEncoder:
    """A `DualEncoder` whose rows are known; `stop_after` calls it is interrupted."""

    name, width, max_tokens, hash = "counting", 6, 77, "f" * 64

    def __init__(self, stop_after: int | None = None) -> None:
        self.texts: list[str] = []
        self.images: list[str] = []
        self.image_failures: tuple[ImageFailure, ...] = ()
        self.left = stop_after

    def _call(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        self._call()
        self.texts += texts
        return np.stack([row(text.encode(), self.width) for text in texts])

    def encode_image(self, images: Sequence[Path]) -> np.ndarray:
        self._call()
        self.images += [path.name for path in images]
        data = [path.read_bytes() for path in images]
        bad = [i for i, d in enumerate(data) if not d.startswith(b"\x89PNG")]
        self.image_failures = tuple(ImageFailure(i, "not an image") for i in bad)
        rows = np.stack([row(d, self.width) for d in data])
        rows[bad] = np.nan
        return rows
