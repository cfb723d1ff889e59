"""Product pictures by Pillow: a shape filled with colour, pattern and material, in some light."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps, ImageStat

from cliper.demo.shapes import SHAPES, Part, arc

SIZE = 224
_SIDE = 400  # of the sketch, made smaller in the end
_ALL = (_SIDE, _SIDE)
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "ivory": (237, 227, 204), "charcoal": (61, 64, 71), "terracotta": (201, 105, 69),
    "mustard": (224, 173, 51), "sage": (158, 179, 143), "forest green": (36, 94, 66),
    "navy": (36, 54, 107), "sky blue": (133, 186, 219), "blush pink": (235, 179, 176),
    "burgundy": (128, 33, 56), "teal": (26, 128, 133), "lavender": (176, 161, 214),
}  # fmt: skip
_BACKDROPS: tuple[Colour, ...] = (
    (242, 242, 240), (237, 230, 217), (222, 232, 240), (242, 224, 219), (224, 235, 219),
)  # fmt: skip
_TRIMS: tuple[Colour, ...] = ((140, 94, 56), (199, 156, 77), (77, 71, 71))
_STUFFS: dict[str, Colour] = {"face": (247, 245, 235), "dark": (51, 46, 43), "leaf": (84, 133, 77)}


@dataclass(frozen=True)
class Material:
    """How a material changes a colour.

    Attributes:
        grain: blur of its noise along x and y in pixels: long fibres, a weave, pebbles.
        depth: how strong the grain is, in grey levels.
        gloss: strength of the highlight, 0 to 1.
        tint, share: the material's own colour and how much of it shows.
    """

    grain: tuple[float, float] = (0, 0)
    depth: float = 0
    gloss: float = 0
    tint: Colour = (255, 255, 255)
    share: float = 0


MATERIALS: dict[str, Material] = {
    "ceramic": Material(gloss=0.5),
    "glass": Material(gloss=0.95, tint=(217, 237, 242), share=0.4),
    "enamel": Material(gloss=0.8, share=0.08),
    "iron": Material((2, 2), 18, 0.25, (41, 41, 46), 0.5),
    "wood": Material((40, 2), 26, 0.1, (158, 107, 64), 0.5),
    "brass": Material((60, 0), 12, 0.7, (217, 168, 71), 0.55),
    "linen": Material((5, 0), 14, 0, (217, 204, 179), 0.12),
    "rattan": Material((8, 3), 34, 0.05, (204, 158, 97), 0.5),
    "velvet": Material((16, 16), 22, 0.12),
    "wool": Material((3, 3), 26),
    "cotton": Material((0, 5), 8),
    "jute": Material((6, 2), 30, 0, (189, 153, 102), 0.5),
    "leather": Material((2, 3), 16, 0.25, (102, 64, 41), 0.35),
    "nylon": Material(gloss=0.3),
}


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
    parts = SHAPES[look.category](lambda low, high: float(rng.uniform(low, high)))
    trim = _TRIMS[int(rng.integers(len(_TRIMS)))]
    tilt, flip, side = rng.normal(0, 1.5), rng.random() < 0.4, int(SIZE * rng.uniform(0.9, 1.05))
    scene = _backdrop(rng)
    plain = Image.new("RGB", _ALL, _jittered(COLOURS[look.colour], rng))
    body = plain.copy()
    body.paste(_second_colour(look.colour, rng), mask=_pattern(look.pattern, rng))
    material = MATERIALS[look.material]
    solid, body = _made_of(material, [plain, body], rng)
    stuffs = {"body": body, "solid": solid, "inner": solid.point(lambda value: value * 0.62)}
    product, covered = Image.new("RGB", _ALL), Image.new("L", _ALL)
    for stuff, group in groupby(parts, lambda part: part.stuff):
        mask = _mask(group)
        product.paste(stuffs.get(stuff) or _STUFFS.get(stuff, trim), (0, 0), mask)
        covered = ImageChops.lighter(covered, mask)
    product = _lit(product, covered, material.gloss)
    if flip:
        product, covered = ImageOps.mirror(product), ImageOps.mirror(covered)
    product, covered = (
        image.resize((side, side), Image.Resampling.BOX).rotate(tilt, Image.Resampling.BILINEAR)
        for image in (product, covered)
    )
    corner = (SIZE - side) // 2
    shadow = covered.filter(ImageFilter.GaussianBlur(5)).point(lambda value: value * 0.35)
    scene.paste((40, 36, 34), (corner + 3, corner + 6), shadow)
    scene.paste(product, (corner, corner), covered)
    exposure = rng.normal(1, 0.04)
    return scene.point(lambda value: value * exposure)


def _mask(parts: Iterable[Part]) -> Image.Image:
    mask = Image.new("L", _ALL)
    pen = ImageDraw.Draw(mask)
    for part in parts:
        if part.width:
            pen.line(list(part.points), 255, round(part.width), "curve")
        else:
            pen.polygon(list(part.points), 255)
    return mask


def _pattern(kind: str, rng: np.random.Generator) -> Image.Image:
    """Where the second colour shows."""
    mask = Image.new("L", _ALL)
    pen = ImageDraw.Draw(mask)
    step = int(rng.integers(34, 56))
    places = range(0, _SIDE + step, step)
    if kind == "striped":
        turn = rng.random() < 0.4
        for x in places:
            pen.rectangle((x, 0, x + step * 0.45, _SIDE), 255)
        return mask.transpose(Image.Transpose.ROTATE_90) if turn else mask
    if kind == "checked":
        for x in places:
            pen.rectangle((x, 0, x + step * 0.5, _SIDE), 128)
        return ImageChops.add(mask, mask.transpose(Image.Transpose.ROTATE_90))
    if kind in ("zigzag", "wavy"):
        along = np.linspace(0, _SIDE, 161)
        turns = along / step
        wave = np.abs(turns % 1 - 0.5) * 1.3 if kind == "zigzag" else 0.3 * np.sin(4.5 * turns)
        for top in places:
            line = list(zip(along, top + wave * step, strict=True))
            pen.line(line, 255, round(step * 0.4))
    elif kind == "speckled":
        for a, b, r in rng.uniform((0, 0, 2), (_SIDE, _SIDE, 6), (500, 3)):
            pen.ellipse((a - r, b - r, a + r, b + r), 255)
    elif kind in ("dotted", "floral"):
        for row, y in enumerate(places):
            for x in places:
                middle = x + step / 2 * (row % 2)
                petals = arc(middle, y, step * 0.2, step * 0.2)[::8] if kind == "floral" else []
                for a, b in petals or [(middle, y)]:
                    r = step * (0.13 if petals else 0.27)
                    pen.ellipse((a - r, b - r, a + r, b + r), 255)
    return mask


def _made_of(
    material: Material, images: list[Image.Image], rng: np.random.Generator
) -> list[Image.Image]:
    """The colours of some images in a material."""
    noise = Image.fromarray(rng.integers(0, 256, _ALL, dtype=np.uint8))
    noise = noise.filter(ImageFilter.GaussianBlur(material.grain))
    spread = ImageStat.Stat(noise)
    strength = material.depth / spread.stddev[0]
    grain = noise.point(lambda value: 128 + (value - spread.mean[0]) * strength).convert("RGB")
    tint = Image.new("RGB", _ALL, material.tint)
    return [
        ImageChops.add(Image.blend(image, tint, material.share), grain, 1, -128) for image in images
    ]


def _lit(product: Image.Image, covered: Image.Image, gloss: float) -> Image.Image:
    """Darker towards the edges of the product, with a streak of light on its left."""
    left, _, right, _ = covered.getbbox() or (0, 0, _SIDE, _SIDE)
    t = (np.arange(_SIDE) - left) / (right - left)
    shade = 255 - 100 * np.abs(t - 0.35) ** 1.6
    streak = 110 * gloss * np.exp(-(((t - 0.25) / 0.06) ** 2))
    rows = (Image.fromarray(row[None].clip(0, 255).astype(np.uint8)) for row in (shade, streak))
    dark, bright = (row.resize(_ALL).convert("RGB") for row in rows)
    return ImageChops.add(ImageChops.multiply(product, dark), bright)


def _backdrop(rng: np.random.Generator) -> Image.Image:
    wall = _jittered(_BACKDROPS[int(rng.integers(len(_BACKDROPS)))], rng)
    scene = Image.new("RGB", (SIZE, SIZE), wall)
    if rng.random() < 0.45:  # a table edge
        tone = tuple(round(value * 0.9) for value in wall)
        scene.paste(tone, (0, int(rng.integers(150, 176)), SIZE, SIZE))
    return scene


def _jittered(colour: Colour, rng: np.random.Generator) -> Colour:
    factors = rng.normal(1, 0.03, 3) * rng.normal(1, 0.04)
    red, green, blue = (np.array(colour) * factors).clip(0, 255)
    return int(red), int(green), int(blue)


def _second_colour(name: str, rng: np.random.Generator) -> Colour:
    """White on dark and coloured things, a dark or warm tone on light ones."""
    dark = sum(COLOURS[name]) / 3 < 158
    options = ("ivory", "ivory", "mustard") if dark else ("charcoal", "navy", "terracotta")
    return _jittered(COLOURS[options[int(rng.integers(3))]], rng)
