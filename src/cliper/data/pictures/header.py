"""What a picture says of itself, and the error of one that makes no sense."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Form = Literal["JPEG", "PNG", "WEBP", "GIF", "BMP"]


class BrokenHeader(ValueError):
    """The bytes begin like a picture, but its structure is truncated or makes no sense."""


@dataclass(frozen=True)
class Header:
    """What a picture says of itself.

    Attributes:
        form: its format.
        width, height: in pixels; of an animated one, of the whole screen.
        essential: makes a file of what a decoder needs for the (first) picture. Texts, colour
            profiles, EXIF, thumbnails and later frames stay behind, and what harm they do.
        exif: the TIFF structure of its EXIF data, empty where there is none.
        buffered: whether decoding it holds coefficients of the whole picture (a JPEG in scans).
        costly: why decoding it would be slow without need, if so.
    """

    form: Form
    width: int
    height: int
    essential: Callable[[], bytes]
    exif: bytes = b""
    buffered: bool = False
    costly: str | None = None

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height


@dataclass
class Budget:
    """How many parts of a file are walked through before it counts as made for doing harm."""

    left: int

    def spend(self, what: str) -> None:
        """Count one part.

        Raises:
            BrokenHeader: there are too many.
        """
        self.left -= 1
        if self.left < 0:
            raise BrokenHeader(f"too many {what}")
