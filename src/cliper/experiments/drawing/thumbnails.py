"""Pictures small enough to live inside the page, within a budget of bytes."""

import base64
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cliper.encoders.images import ImageError, open_rgb

# Side in pixels and JPEG quality, best first; the first that fits the budget is taken.
LEVELS = ((224, 84), (168, 78), (136, 74), (104, 68), (76, 60), (52, 50))


@dataclass(frozen=True)
class Thumbnails:
    """Data URIs by path, at one size for the whole page.

    Attributes:
        uris: path → `data:image/jpeg;base64,…`.
        unreadable: pictures that could not be decoded.
        over_budget: pictures that were left out, least used first, although the smallest size
            was taken.
        shape: the median width divided by height, within [0.6, 1.4].
    """

    uris: dict[Path, str]
    unreadable: int = 0
    over_budget: int = 0
    shape: float = 1.0

    def get(self, path: Path | None) -> str | None:
        """The data URI of a picture, None where a placeholder is to be drawn."""
        return None if path is None else self.uris.get(path)


def make_thumbnails(paths: Iterable[Path], budget: int) -> Thumbnails:
    """Thumbnails of the pictures at `paths` that together take at most `budget` bytes.

    Args:
        paths: one entry for each time that a picture is shown, so repeats count.
        budget: bytes of all data URIs, each as often as it is shown.
    """
    uses = Counter(paths)
    pictures = {path: picture for path in uses if (picture := _read(path)) is not None}
    ratios = sorted(p.width / p.height for p in pictures.values())
    shape = min(max(ratios[len(ratios) // 2], 0.6), 1.4) if ratios else 1.0
    uris: dict[Path, str] = {}
    for side, quality in LEVELS:
        uris = {path: _encode(picture, side, quality) for path, picture in pictures.items()}
        if sum(len(uri) * uses[path] for path, uri in uris.items()) <= budget:
            break
    kept: dict[Path, str] = {}
    left = budget
    for path in sorted(uris, key=lambda p: (-uses[p], str(p))):
        cost = len(uris[path]) * uses[path]
        if cost <= left:
            kept[path], left = uris[path], left - cost
    return Thumbnails(kept, len(uses) - len(pictures), len(uris) - len(kept), shape)


def _read(path: Path) -> Image.Image | None:
    """The picture at the largest thumbnail size, None where there is no usable one."""
    side = LEVELS[0][0]
    try:
        picture = open_rgb(path, 2 * side)  # a JPEG is decoded straight to a small size
    except ImageError:
        return None
    picture.thumbnail((2 * side, 2 * side))
    return picture


def _encode(picture: Image.Image, side: int, quality: int) -> str:
    small = picture.copy()
    small.thumbnail((side, round(side * 1.4)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    small.save(stream, format="JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
