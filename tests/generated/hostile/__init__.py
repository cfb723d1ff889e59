"""Image files that mean harm: bombs, lies, damage, disguises, and rare kinds that are fine.

`hostile_images` makes them from a seed, so nothing dangerous has to be stored. Whatever decodes
pictures of strangers can be tried on them.
"""

from collections.abc import Iterator

from generated.hostile.case import HostileImage
from generated.hostile.disguised import disguised_images
from generated.hostile.jpeg import jpeg_images
from generated.hostile.others import bmp_images, gif_images, webp_images
from generated.hostile.png import png_images

__all__ = ["HostileImage", "hostile_images"]


def hostile_images(seed: int = 0, flood: int = 16_000_000) -> Iterator[HostileImage]:
    """All of them, the same for the same seed.

    Args:
        seed: of the noise in them.
        flood: bytes of a file that means harm by how many parts it has.

    >>> names = [image.name for image in hostile_images(flood=1_000)]
    >>> len(names) == len(set(names)) > 150
    True
    """
    for make in (png_images, jpeg_images, gif_images, webp_images, bmp_images):
        yield from make(seed, flood)
    yield from disguised_images(seed)
