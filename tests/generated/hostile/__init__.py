"""Image files that mean harm: bombs, lies, damage, disguises, and rare kinds that are fine.

`hostile_images` makes them from a seed, so nothing dangerous has to be stored. Whatever decodes
pictures of strangers can be tried on them.
"""

from collections.abc import Iterator
from dataclasses import replace

from generated.hostile.case import HostileImage
from generated.hostile.disguised import disguised_images
from generated.hostile.jpeg import jpeg_images
from generated.hostile.others import bmp_images, gif_images, tiff_and_avif_images, webp_images
from generated.hostile.png import png_images

__all__ = ["HostileImage", "hostile_images"]

_FORMATS = (png_images, jpeg_images, gif_images, webp_images, bmp_images)
# Pictures in the end, for whoever has the time: bounds and machines decide.
_SLOW = frozenset(
    (
        "many-chunks.png", "many-data-chunks.png", "bomb-texts.png", "exif-overlap.png",
        "arithmetic.jpg", "fill-bytes.jpg", "many-segments.jpg", "junk.jpg", "scans-98-32mp.jpg",
        "scans-800-4mp.jpg", "scans-800-24mp.jpg", "scans-sequential.jpg", "exif-overlap.jpg",
        "exif-overlap-parts.jpg", "comment-pieces.gif", "extensions.gif", "data-pieces.gif",
        "rle-far.bmp", "rle-endless.bmp", "rle-ones.bmp",
    )
)  # fmt: skip


def hostile_images(seed: int = 0, flood: int = 16_000_000) -> Iterator[HostileImage]:
    """All of them, the same for the same seed.

    Args:
        seed: of the noise in them.
        flood: bytes of a file that means harm by how many parts it has.

    >>> names = [image.name for image in hostile_images(flood=1_000)]
    >>> len(names) == len(set(names)) > 150
    True
    """
    for make in (*_FORMATS, tiff_and_avif_images):
        for image in make(seed, flood):
            yield replace(image, expected="either") if image.name in _SLOW else image
    yield from disguised_images(seed)
