"""A small vector canvas: parts of a product as anti-aliased masks in unit coordinates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.interpolate import PchipInterpolator

from cliper.types import FloatArray

SIZE = 224
_OVERSAMPLE = 2

Role = Literal["body", "solid", "trim", "inner", "face", "dark", "leaf", "fringe"]
Form = Literal["round", "bevel", "flat"]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Part:
    """One piece of a product.

    Attributes:
        mask: float32, coverage in [0, 1] inside the window.
        window: the rows and columns of the picture that the mask stands for.
        role: what it is made of; `body` carries the product's colour, pattern and material,
            `solid` its colour and material without the pattern.
        form: how light falls on it.
        box: x0, y0, x1, y1 in pixels.
    """

    mask: FloatArray
    window: tuple[slice, slice]
    role: Role
    form: Form
    box: tuple[float, float, float, float]


class Sketch:
    """Collects parts, back to front, in unit coordinates (x right, y down).

    Args:
        zoom, shift, tilt, flip: the camera: scale around the centre, offset, rotation in
            radians, mirrored left to right.
    """

    def __init__(
        self,
        zoom: float = 1.0,
        shift: tuple[float, float] = (0.0, 0.0),
        tilt: float = 0.0,
        flip: bool = False,
    ) -> None:
        self.parts: list[Part] = []
        self.shadow: Literal["floor", "wall"] = "floor"
        self._zoom, self._shift, self._flip = zoom, shift, flip
        self._turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])

    def _pixels(self, points: Points) -> Points:
        centred = points - 0.5
        if self._flip:
            centred = centred * np.array([-1.0, 1.0])
        placed = centred @ self._turn.T * self._zoom + 0.5 + np.array(self._shift)
        result: Points = placed * SIZE
        return result

    def _add(self, pixels: Points, role: Role, form: Form, pen_width: float | None = None) -> None:
        (x0, y0), (x1, y1) = pixels.min(axis=0), pixels.max(axis=0)
        margin = 3 + (pen_width or 0)  # room for the pen and for a blur of the edge
        left, top = (int(np.clip(low - margin, 0, SIZE - 1)) for low in (x0, y0))
        right, bottom = (int(np.clip(high + margin, 1, SIZE)) for high in (x1, y1))
        right, bottom = max(right, left + 1), max(bottom, top + 1)
        image = Image.new("L", ((right - left) * _OVERSAMPLE, (bottom - top) * _OVERSAMPLE))
        fine = [(float(x), float(y)) for x, y in (pixels - [left, top]) * _OVERSAMPLE]
        pen = ImageDraw.Draw(image)
        if pen_width is None:
            pen.polygon(fine, fill=255)
        else:
            thick = pen_width * _OVERSAMPLE
            pen.line(fine, fill=255, width=max(1, round(thick)), joint="curve")
            r = thick / 2 - 0.5
            for x, y in (fine[0], fine[-1]) if thick >= 4 else ():
                pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
        mask = np.asarray(image.reduce(_OVERSAMPLE), dtype=np.float32) / np.float32(255)
        window = (slice(top, bottom), slice(left, right))
        box = (float(x0), float(y0), float(x1), float(y1))
        self.parts.append(Part(mask, window, role, form, box))

    def polygon(self, points: Points, role: Role = "body", form: Form = "bevel") -> None:
        """A filled polygon, points (n, 2)."""
        self._add(self._pixels(np.asarray(points, dtype=np.float64)), role, form)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, role: Role = "body", form: Form = "bevel"
    ) -> None:
        """A filled ellipse around (x, y)."""
        self.polygon(arc(x, y, rx, ry, 0, 360), role, form)

    def stroke(
        self, points: Points | Sequence[tuple[float, float]], width: float, role: Role = "trim"
    ) -> None:
        """A line with round ends and joints, `width` in units."""
        pixels = self._pixels(np.asarray(points, dtype=np.float64))
        self._add(pixels, role, "bevel", width * self._zoom * SIZE)

    def lathe(
        self,
        profile: Sequence[tuple[float, float]],
        x: float = 0.5,
        role: Role = "body",
        depth: float = 0.13,
    ) -> None:
        """A solid of revolution: (y, half width) from top to bottom, joined smoothly.

        `depth` is the height of the top and bottom ellipses as a share of their width.
        """
        self.polygon(_revolve(profile, x, depth), role, "round")

    def coverage(self) -> FloatArray:
        """Where any part covers the picture, float32 (SIZE, SIZE)."""
        free = np.ones((SIZE, SIZE), dtype=np.float32)
        for part in self.parts:
            free[part.window] *= 1 - part.mask
        return np.asarray(1 - free, dtype=np.float32)


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float, n: int = 48) -> Points:
    """Points (n, 2) on an ellipse, angles in degrees, clockwise on the screen from 3 o'clock.

    >>> arc(0, 0, 1, 1, 0, 90, n=2).round(6).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    angles = np.radians(np.linspace(start, stop, n))
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1)


def _revolve(profile: Sequence[tuple[float, float]], x: float, depth: float) -> Points:
    heights, widths = np.array(profile, dtype=np.float64).T
    y = np.linspace(heights[0], heights[-1], 40)
    half = PchipInterpolator(heights, widths)(y)
    left = np.stack([x - half, y], axis=1)
    right = np.stack([x + half, y], axis=1)[::-1]
    bottom = arc(x, y[-1], half[-1], half[-1] * depth, 180, 0, 24)
    top = arc(x, y[0], half[0], half[0] * depth, 360, 180, 24)
    return np.concatenate([left, bottom, right, top])
