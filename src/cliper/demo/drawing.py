"""Product pictures: a sketch, painted with colour, pattern, material, light and a backdrop."""

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from cliper.demo.canvas import SIZE, Part, Sketch
from cliper.demo.shapes import SHAPES
from cliper.demo.surface import MATERIALS, Colour, noise, pattern, texture
from cliper.types import FloatArray

COLOURS: dict[str, Colour] = {
    "ivory": (0.93, 0.89, 0.80),
    "charcoal": (0.24, 0.25, 0.28),
    "terracotta": (0.79, 0.41, 0.27),
    "mustard": (0.88, 0.68, 0.20),
    "sage": (0.62, 0.70, 0.56),
    "forest green": (0.14, 0.37, 0.26),
    "navy": (0.14, 0.21, 0.42),
    "sky blue": (0.52, 0.73, 0.86),
    "blush pink": (0.92, 0.70, 0.69),
    "burgundy": (0.50, 0.13, 0.22),
    "teal": (0.10, 0.50, 0.52),
    "lavender": (0.69, 0.63, 0.84),
}
_BACKDROPS: tuple[Colour, ...] = (
    (0.95, 0.95, 0.94),
    (0.93, 0.90, 0.85),
    (0.87, 0.91, 0.94),
    (0.95, 0.88, 0.86),
    (0.88, 0.92, 0.86),
    (0.83, 0.83, 0.85),
)
_ROLE_COLOURS: dict[str, Colour] = {
    "face": (0.97, 0.96, 0.92),
    "dark": (0.20, 0.18, 0.17),
    "leaf": (0.33, 0.52, 0.30),
    "fringe": (0.92, 0.88, 0.78),
}
_TRIMS: tuple[Colour, ...] = ((0.55, 0.37, 0.22), (0.78, 0.61, 0.3), (0.3, 0.28, 0.28))
_Y, _X = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)


@dataclass(frozen=True)
class Look:
    """What a picture shows: keys of `SHAPES`, `COLOURS`, `MATERIALS` and a pattern's name."""

    category: str
    colour: str
    pattern: str
    material: str


def draw_product(look: Look, rng: np.random.Generator) -> Image.Image:
    """An RGB picture of SIZE × SIZE pixels; the generator decides everything not in `look`.

    >>> look = Look("Mugs", "navy", "striped", "ceramic")
    >>> draw_product(look, np.random.default_rng(0)).size
    (224, 224)
    """
    sketch = Sketch(
        zoom=float(rng.uniform(1.0, 1.16)),
        shift=(float(rng.normal(0, 0.015)), float(rng.normal(0, 0.012))),
        tilt=float(rng.normal(0, 0.025)),
        flip=bool(rng.random() < 0.4),
    )
    SHAPES[look.category](sketch, rng)
    canvas = _cast_shadow(_backdrop(rng), sketch, rng)
    base = _jitter(COLOURS[look.colour], rng)
    second = _second_colour(look.colour, rng)
    trim = _TRIMS[int(rng.integers(len(_TRIMS)))]
    light = -0.4 if rng.random() < 0.5 else 0.4
    for part in sketch.parts:
        border = part.role == "trim" and look.category == "Rugs"
        if part.role in ("body", "solid", "inner") or border:
            _paint_body(canvas, part, look, base, second, light, rng)
        else:
            colour = np.array(_ROLE_COLOURS.get(part.role, trim), dtype=np.float32)
            _over(canvas, part, colour * _shade(part, light)[..., None])
    return _photograph(canvas, rng)


def _paint_body(
    canvas: FloatArray,
    part: Part,
    look: Look,
    base: FloatArray,
    second: FloatArray,
    light: float,
    rng: np.random.Generator,
) -> None:
    material = MATERIALS[look.material]
    x0, _, x1, _ = part.box
    x, y = _X[part.window], _Y[part.window]
    t = (2 * x - x0 - x1) / max(x1 - x0, 1.0)
    u, v = x / SIZE - 0.5, y / SIZE - 0.5
    if part.form == "round":  # the pattern runs around the solid
        u = np.arcsin(np.clip(t, -0.97, 0.97)) * (x1 - x0) / (2 * SIZE)
    colour = np.broadcast_to(base, (*u.shape, 3))
    if part.role == "body":
        share = pattern(look.pattern, u, v, rng)[..., None]
        colour = colour * (1 - share) + second * share
    tint = np.array(material.tint, dtype=np.float32)
    colour = colour * (1 - material.tint_share) + tint * material.tint_share
    colour = colour * texture(material, u, v, rng)[..., None]
    if part.role == "inner":
        _over(canvas, part, colour * (0.62 + 0.25 * t * light)[..., None])
        return
    painted = colour * _shade(part, light)[..., None]
    if material.gloss and part.form == "round":
        streak = np.exp(-(((t - light * 1.15) / 0.13) ** 2)) * 0.5
        streak += np.exp(-(((t + light * 1.9) / 0.08) ** 2)) * 0.2
        painted = painted + (material.gloss * streak)[..., None]
    elif material.gloss:
        shine = np.exp(-(((u + v * 0.6 - light * 0.3) / 0.12) ** 2)) * 0.22
        painted = painted + (material.gloss * shine)[..., None]
    opacity: FloatArray | float = material.opacity
    if material.opacity < 1 and part.form == "round":  # glass is denser where seen edge-on
        opacity = np.clip(material.opacity + 0.4 * t**4, 0, 1)
    _over(canvas, part, painted, opacity)


def _shade(part: Part, light: float) -> FloatArray:
    """Brightness of a part's surface, the shape of its mask."""
    x0, y0, x1, y1 = part.box
    t = (2 * _X[part.window] - x0 - x1) / max(x1 - x0, 1.0)
    down = (2 * _Y[part.window] - y0 - y1) / max(y1 - y0, 1.0)
    if part.form == "round":
        shade = 1.08 - 0.42 * np.clip(np.abs(t - light * 0.7), 0, 1.6) ** 1.8 - 0.05 * down
    elif part.form == "flat":
        shade = 1.0 + 0.06 * t * light - 0.03 * down
    else:
        height = _blur(part.mask, min(7.0, max(1.5, 0.06 * min(x1 - x0, y1 - y0))))
        dy, dx = np.gradient(height)
        shade = 0.8 + 0.22 * np.clip(height, 0, 1) + 2.2 * (dy * 0.7 - dx * light * -1.2)
    return np.asarray(np.clip(shade, 0.35, 1.25), dtype=np.float32)


def _backdrop(rng: np.random.Generator) -> FloatArray:
    wall = np.array(_BACKDROPS[int(rng.integers(len(_BACKDROPS)))], dtype=np.float32)
    fall = 1.03 - 0.16 * np.hypot(_X / SIZE - rng.uniform(0.3, 0.7), _Y / SIZE - 0.4)
    canvas = wall * fall[..., None]
    if rng.random() < 0.45:  # a table edge
        edge = rng.uniform(0.66, 0.78) * SIZE
        tone = np.float32(rng.uniform(0.86, 0.95))
        canvas = np.where((edge < _Y)[..., None], canvas * tone, canvas)
    return np.asarray(canvas, dtype=np.float32)


def _cast_shadow(canvas: FloatArray, sketch: Sketch, rng: np.random.Generator) -> FloatArray:
    coverage = sketch.coverage()
    if sketch.shadow == "wall":
        down, across = int(rng.integers(4, 9)), int(rng.integers(-5, 6))
        shifted = np.roll(coverage, (down, across), axis=(0, 1))
        shifted[:down] = 0  # what rolled over the edge
        fallen = _blur(shifted, 5)
    else:
        rows, columns = np.nonzero(coverage > 0.5)
        foot, centre = float(rows.max()), float(columns.mean())
        wide = 0.5 * float(np.ptp(columns[rows > foot - 0.2 * np.ptp(rows)])) + 10
        ball = ((_X - centre) / wide) ** 2 + ((_Y - foot + 2) / 9) ** 2
        fallen = _blur(np.asarray(np.clip(1.5 - ball, 0, 1), dtype=np.float32), 4)
    return canvas * (1 - np.float32(rng.uniform(0.25, 0.42)) * fallen[..., None])


def _photograph(canvas: FloatArray, rng: np.random.Generator) -> Image.Image:
    """Exposure, warmth and a sensor's grain."""
    warmth = np.array([1, 0, -1], dtype=np.float32) * np.float32(rng.normal(0, 0.018))
    picture = canvas * np.float32(rng.normal(1.0, 0.05)) + warmth
    picture = picture + noise(rng, (SIZE, SIZE), 0)[..., None] * np.float32(rng.uniform(0, 0.014))
    return Image.fromarray(np.asarray(np.clip(picture, 0, 1) * 255 + 0.5, dtype=np.uint8))


def _over(
    canvas: FloatArray, part: Part, colour: FloatArray, opacity: FloatArray | float = 1.0
) -> None:
    """Lay a part's colour over the canvas, in place."""
    under = canvas[part.window]
    under += (colour - under) * (part.mask * opacity)[..., None]


def _blur(mask: FloatArray, radius: float) -> FloatArray:
    picture = Image.fromarray(np.asarray(np.clip(mask, 0, 1) * 255, dtype=np.uint8))
    return np.asarray(
        picture.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32
    ) / np.float32(255)


def _jitter(colour: Colour, rng: np.random.Generator) -> FloatArray:
    hue, saturation, value = colorsys.rgb_to_hsv(*colour)
    jittered = colorsys.hsv_to_rgb(
        (hue + rng.normal(0, 0.008)) % 1,
        float(np.clip(saturation * rng.normal(1, 0.07), 0, 1)),
        float(np.clip(value * rng.normal(1, 0.05), 0, 1)),
    )
    return np.array(jittered, dtype=np.float32)


def _second_colour(name: str, rng: np.random.Generator) -> FloatArray:
    """White on dark and coloured things, a dark or warm tone on light ones."""
    value = sum(COLOURS[name]) / 3
    options = ("ivory", "ivory", "mustard") if value < 0.62 else ("charcoal", "navy", "terracotta")
    return _jitter(COLOURS[options[int(rng.integers(3))]], rng)
