"""Patterns and materials as functions of position: what the body of a product looks like."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from cliper.types import FloatArray

Colour = tuple[float, float, float]
_Field = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Material:
    """How a material changes a colour.

    Attributes:
        grain: which texture is laid over the colour.
        depth: how strong the texture is, as a share of brightness.
        gloss: strength of the highlight, 0 to 1.
        tint, tint_share: the material's own colour and how much of it shows.
        opacity: 1 for everything but glass.
    """

    grain: str
    depth: float
    gloss: float = 0.0
    tint: Colour = (0.5, 0.5, 0.5)
    tint_share: float = 0.0
    opacity: float = 1.0


MATERIALS: dict[str, Material] = {
    "ceramic": Material("fine", 0.03, 0.5),
    "glass": Material("none", 0.0, 0.95, (0.85, 0.93, 0.95), 0.15, 0.62),
    "enamel": Material("none", 0.0, 0.8, (1.0, 1.0, 1.0), 0.08),
    "iron": Material("pebble", 0.22, 0.25, (0.16, 0.16, 0.18), 0.5),
    "wood": Material("rings", 0.28, 0.1, (0.62, 0.42, 0.25), 0.5),
    "brass": Material("brushed", 0.16, 0.7, (0.85, 0.66, 0.28), 0.55),
    "linen": Material("weave", 0.2, 0.0, (0.85, 0.8, 0.7), 0.12),
    "rattan": Material("basket", 0.42, 0.05, (0.8, 0.62, 0.38), 0.5),
    "velvet": Material("cloud", 0.28, 0.12),
    "wool": Material("knit", 0.34, 0.0),
    "cotton": Material("weave", 0.09, 0.0),
    "jute": Material("knit", 0.34, 0.0, (0.74, 0.6, 0.4), 0.5),
    "leather": Material("pebble", 0.16, 0.25, (0.4, 0.25, 0.16), 0.35),
    "nylon": Material("none", 0.0, 0.3),
}


def noise(rng: np.random.Generator, shape: tuple[int, int], radius: float) -> FloatArray:
    """Smooth noise with mean 0 and deviation 1, `radius` in pixels."""
    field = rng.standard_normal(shape).astype(np.float32)
    if radius > 0:
        picture = Image.fromarray(np.clip(field * 40 + 128, 0, 255).astype(np.uint8))
        field = np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32)
    field = field - field.mean()
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def texture(
    material: Material, u: FloatArray, v: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Brightness factor around 1, shape of `u`; positions in units of the picture's side."""
    if material.grain == "none":
        return np.ones_like(u)
    if material.grain == "weave":
        wave = np.sin(u * 330) * np.sin(v * 330) + 0.4 * noise(rng, u.shape, 1)
    elif material.grain == "knit":
        wave = np.sin(v * 150 + 1.4 * np.sin(u * 150)) + 0.5 * noise(rng, u.shape, 1)
    elif material.grain == "basket":
        odd = (np.floor(u * 22) + np.floor(v * 22)) % 2
        wave = np.where(odd > 0, np.sin(u * 22 * np.pi), np.sin(v * 22 * np.pi))
        wave = np.abs(wave) * 2 - 1.2 + 0.2 * noise(rng, u.shape, 0)
    elif material.grain == "rings":
        bend = noise(rng, u.shape, 12) * 0.02
        wave = np.sin((v + bend) * 95 + 6 * np.sin(u * 3 + 2)) + 0.3 * noise(rng, u.shape, 1)
    elif material.grain == "brushed":
        wave = noise(rng, (u.shape[0], 1), 0) * np.ones_like(u) * 0.35 + np.sin(u * 15)
    else:
        radius = {"fine": 0, "pebble": 1.6, "cloud": 9}[material.grain]
        wave = noise(rng, u.shape, radius)
    return np.asarray(1 + material.depth * 0.5 * wave, dtype=np.float32)


def pattern(kind: str, u: FloatArray, v: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Share of the second colour, in [0, 1], shape of `u`."""
    if kind == "plain":
        return np.zeros_like(u)
    f = float(rng.uniform(0.8, 1.3)) * 9
    if kind == "striped":
        way = u if rng.random() < 0.6 else v
        return _soft(np.abs(_frac(way * f) - 0.5) - float(rng.uniform(0.15, 0.28)), f)
    if kind == "checked":
        x = _soft(np.abs(_frac(u * f) - 0.5) - 0.25, f)
        y = _soft(np.abs(_frac(v * f) - 0.5) - 0.25, f)
        return np.asarray((x + y) / 2, dtype=np.float32)
    if kind == "zigzag":
        fold = np.abs(_frac(u * f * 0.8) - 0.5)
        return _soft(np.abs(_frac(v * f + fold * 1.3) - 0.5) - 0.22, f)
    if kind == "wavy":
        bend = 0.3 * np.sin(u * f * 4.5)
        return _soft(np.abs(_frac(v * f * 0.9 + bend) - 0.5) - 0.18, f)
    if kind == "speckled":
        return _soft(1.25 - np.abs(noise(rng, u.shape, 1.7)), 2.5)
    f *= 0.75 if kind == "floral" else 0.95
    row = np.floor(v * f)
    x, y = _frac(u * f + 0.5 * (row % 2)) - 0.5, _frac(v * f) - 0.5
    distance = np.hypot(x, y)
    if kind == "dotted":
        return _soft(distance - float(rng.uniform(0.2, 0.3)), f)
    petals = 0.17 + 0.2 * np.abs(np.cos(2.5 * np.arctan2(y, x)))
    centre = _soft(distance - 0.1, f)
    return np.asarray(_soft(distance - petals, f) * (1 - centre), dtype=np.float32)


def _frac(x: _Field) -> FloatArray:
    return np.asarray(x - np.floor(x), dtype=np.float32)


def _soft(distance: _Field, frequency: float) -> FloatArray:
    """1 inside (negative distance), 0 outside, over about two pixels."""
    return np.asarray(np.clip(0.5 - distance * 100 / frequency, 0, 1), dtype=np.float32)
