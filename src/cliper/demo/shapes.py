"""One outline per category of the generated shop, each with its own variation.

A shape is a list of parts, back to front, on a square of 400 × 400 (x right, y down).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.interpolate import PchipInterpolator

Points = Sequence[tuple[float, float]]
Uniform = Callable[[float, float], float]
MIDDLE, FLOOR = 200.0, 340.0


class Part(NamedTuple):
    """A filled polygon, or a line where it has a width; `stuff` is what it is made of.

    Stuffs: `body` carries colour, pattern and material, `solid` no pattern, `inner` is the same in
    shade; `trim`, `dark`, `face` and `leaf` have colours of their own.
    """

    stuff: str
    points: Points
    width: float = 0.0


def arc(x: float, y: float, rx: float, ry: float, start: float = 0, stop: float = 360) -> Points:
    """Points on an ellipse, angles in degrees, clockwise on the screen from 3 o'clock.

    >>> [(round(x), round(y)) for x, y in arc(0, 0, 9, 9, 0, 90)[::36]]
    [(9, 0), (0, 9)]
    """
    angles = np.radians(np.linspace(start, stop, 37))
    return list(zip(x + rx * np.cos(angles), y + ry * np.sin(angles), strict=True))


def turned(*profile: tuple[float, float], stuff: str = "body") -> Part:
    """A solid of revolution: (y, half width) from top to bottom, joined smoothly."""
    heights, widths = zip(*profile, strict=True)
    y = np.linspace(heights[0], heights[-1], 24)
    half = PchipInterpolator(heights, widths)(y)
    left, right = MIDDLE - half, MIDDLE + half
    foot = arc(MIDDLE, y[-1], half[-1], half[-1] * 0.13, 180, 0)
    rim = arc(MIDDLE, y[0], half[0], half[0] * 0.13, 360, 180)
    sides = zip(left, y, strict=True), zip(right[::-1], y[::-1], strict=True)
    return Part(stuff, [*sides[0], *foot, *sides[1], *rim])


def box(x0: float, y0: float, x1: float, y1: float, lean: float = 0.0) -> Points:
    """A rectangle, narrower by `lean` on both sides at the top."""
    return [(x0 + lean, y0), (x1 - lean, y0), (x1, y1), (x0, y1)]


def _opening(y: float, half: float, stuff: str = "inner") -> Part:
    return Part(stuff, arc(MIDDLE, y, half, half * 0.13))


def _mug(u: Uniform) -> list[Part]:
    top, w, taper = u(120, 165), u(75, 95), u(0, 25)
    handle = arc(MIDDLE + w - 8, (top + FLOOR) / 2, u(45, 65), (FLOOR - top) * 0.3, -95, 95)
    return [Part("solid", handle, 18), turned((top, w), (FLOOR, w - taper)), _opening(top, w)]


def _teapot(u: Uniform) -> list[Part]:
    w, top = u(85, 100), u(160, 185)
    handle = arc(MIDDLE - w, 240, 52, 56, 80, 280)
    spout = [(200 + w, 275), (245 + w, 185), (275 + w, 175), (262 + w, 200), (210 + w, 290)]
    body = turned((top, w * 0.5), (208, w * 0.95), (256, w), (305, w * 0.8), (325, w * 0.55))
    lid = turned((top - 28, w * 0.14), (top - 12, w * 0.45), (top, w * 0.55))
    knob = Part("trim", arc(MIDDLE, top - 38, 13, 13))
    return [Part("trim", handle, 16), Part("solid", [(190, 225), *spout]), body, lid, knob]


def _bowl(u: Uniform) -> list[Part]:
    w, top, depth = u(125, 150), u(185, 210), u(80, 120)
    body = turned((top, w), (top + depth * 0.55, w * 0.82), (top + depth, w * u(0.3, 0.45)))
    return [body, _opening(top, w)]


def _vase(u: Uniform) -> list[Part]:
    top, w, neck, belly = u(110, 160), u(55, 80), u(0.2, 0.6), u(0.4, 0.75)
    height = FLOOR - top
    parts = []
    for angle in [u(-0.5, 0.5) for _ in range(int(u(0, 5)))]:  # flowers
        tip = (MIDDLE + 105 * np.sin(angle), top - 95 * np.cos(angle))
        parts += [Part("leaf", [(MIDDLE, top), tip], 4), Part("leaf", arc(*tip, 11, 16))]
    profile = ((top, neck * w), (top + 0.15 * height, neck * w * 0.9), (top + belly * height, w))
    return [*parts, turned(*profile, (FLOOR, 0.55 * w)), _opening(top, neck * w)]


def _lamp(u: Uniform) -> list[Part]:
    low, high, top, height = u(80, 108), u(40, 72), u(55, 80), u(95, 128)
    if u(0, 1) < 0.3:  # a pendant
        cord = Part("dark", [(MIDDLE, 0), (MIDDLE, top + 60)], 5)
        bottom = top + 80 + height
        shade = turned((top + 50, 20), (top + 80, high), (bottom, low))
        return [cord, shade, _opening(bottom, low, "face")]
    foot = u(40, 60)
    pole = Part("trim", [(MIDDLE, top + height), (MIDDLE, FLOOR - 10)], u(8, 14))
    stand = turned((FLOOR - u(20, 90), foot * 0.6), (FLOOR, foot), stuff="trim")
    return [pole, stand, turned((top, high), (top + height, low))]


def _chair(u: Uniform) -> list[Part]:
    w, seat, top, splay = u(76, 96), u(215, 240), u(55, 95), u(0, 20)
    legs = [
        Part("trim", [(MIDDLE + x * w * at, seat), (MIDDLE + x * (w * at + splay), foot)], 11)
        for x in (-1, 1)
        for at, foot in ((0.75, FLOOR - 20), (1.0, FLOOR + 5))
    ]
    arch = arc(MIDDLE, top + 40, w, 40, 180, 360)
    back = Part("body", [*arch, (MIDDLE + w, seat), (MIDDLE - w, seat)])
    cushion = Part("body", box(MIDDLE - w - 12, seat - 8, MIDDLE + w + 12, seat + 30, 6))
    rests = [
        Part("solid", [(MIDDLE + x * w, seat - 48), (MIDDLE + x * (w + 20), seat + 20)], 24)
        for x in (-1, 1)
    ]
    return [*legs, back, *(rests if u(0, 1) < 0.4 else ()), cushion]


def _rug(u: Uniform) -> list[Part]:
    x, y, lean = u(125, 165), u(95, 145), u(0, 36)
    if u(0, 1) < 0.3:
        return [Part("trim", arc(200, 208, x, y)), Part("body", arc(200, 208, x - 10, y - 10))]
    fringes = [
        Part("face", [(200 + at, 208 - y - 14), (200 + at, 208 + y + 14)], 3)
        for at in np.linspace(lean - x + 4, x - lean - 4, 24)
    ]
    border = Part("trim", box(200 - x, 208 - y, 200 + x, 208 + y, lean))
    inside = Part("body", box(212 - x, 220 - y, 188 + x, 196 + y, lean))
    return [*(fringes if u(0, 1) < 0.6 else ()), border, inside]


def _cushion(u: Uniform) -> list[Part]:
    x, y, pinch = u(120, 148), u(85, 145), u(0.5, 0.9)
    unit = np.array(arc(0, 0, 1, 1))
    outline = np.sign(unit) * np.abs(unit) ** pinch**2 * [x, y] + [MIDDLE, 215]
    tassels = [
        Part("trim", arc(200 + a * x, 215 + b * y, 14, 14)) for a in (-1, 1) for b in (-1, 1)
    ]
    body = Part("body", [(float(a), float(b)) for a, b in outline])
    return [*(tassels if u(0, 1) < 0.4 else ()), body]


def _clock(u: Uniform) -> list[Part]:
    r, rim, square = u(120, 145), u(22, 52), u(0, 1) < 0.3
    frame = Part("body", box(200 - r, 200 - r, 200 + r, 200 + r) if square else arc(200, 200, r, r))

    def ray(angle: float, near: float, far: float, width: float) -> Part:
        way = (r - rim) * np.array([np.cos(angle), np.sin(angle)])
        (x0, y0), (x1, y1) = MIDDLE + way * near, MIDDLE + way * far
        return Part("dark", [(x0, y0), (x1, y1)], width)

    marks = [ray(angle, 0.82, 0.92, 5) for angle in np.radians(range(0, 360, 30))]
    hands = [ray(u(0, 6.3), 0, 0.5, 9), ray(u(0, 6.3), 0, 0.75, 6)]
    return [frame, Part("face", arc(200, 200, r - rim, r - rim)), *marks, *hands]


def _bag(u: Uniform) -> list[Part]:
    w, top, flare, grip, rise = u(92, 120), u(160, 185), u(-12, 20), u(36, 56), u(72, 104)
    handles = [Part("dark", arc(MIDDLE, top + 8, grip + 8, rise, 180, 360), 9)]
    body = Part("body", box(MIDDLE - w, top, MIDDLE + w, FLOOR + 5, flare))
    if u(0, 1) < 0.45:  # a satchel
        flap = Part("trim", box(MIDDLE - w + 6, top, MIDDLE + w - 6, top + u(56, 96), flare - 12))
        return [*handles, body, flap]
    return [*handles, body, Part("trim", arc(MIDDLE, top + 20, grip, rise, 180, 360), 11)]


def _planter(u: Uniform) -> list[Part]:
    top, w, long, n = u(208, 232), u(68, 92), u(95, 145), int(u(6, 12))
    leaves = []
    for angle in np.linspace(-1.25, 1.25, n):
        t = np.linspace(0, 1, 12)
        bend, length, wide = angle * (0.5 + 0.6 * t), long * u(0.75, 1.1), u(11, 20)
        x, y = MIDDLE + np.sin(bend) * t * length, top - np.cos(bend) * t * length
        side = wide * np.sin(np.pi * t)
        left, right = zip(x - side, y, strict=True), zip(x + side, y, strict=True)
        leaves.append(Part("leaf", [*left, *reversed(list(right))]))
    pot = turned((top, w), (FLOOR + 5, w * u(0.6, 0.85)))
    return [*leaves, pot, turned((top, w + 6), (top + 22, w + 6))]


def _umbrella(u: Uniform) -> list[Part]:
    rx, top, base, ribs = u(144, 168), u(56, 80), u(184, 208), int(u(4, 7))
    stick = Part("dark", [(MIDDLE, top - 18), (MIDDLE, FLOOR - 5)], 6)
    crook = Part("trim", arc(MIDDLE + 18, FLOOR - 5, 18, 20, 180, 0), 10)
    dome = [*arc(MIDDLE, base, rx, base - top, 180, 360)]
    for rib in range(ribs):  # the scalloped edge, from right to left
        dome += arc(MIDDLE + rx - (2 * rib + 1) * rx / ribs, base, rx / ribs, 14, 0, -180)
    spokes = [
        Part("dark", [(MIDDLE, top), (MIDDLE - rx + 2 * rib * rx / ribs, base)], 2)
        for rib in range(1, ribs)
    ]
    return [stick, crook, Part("body", dome), *spokes]


SHAPES: dict[str, Callable[[Uniform], list[Part]]] = {
    "Mugs": _mug, "Teapots": _teapot, "Bowls": _bowl, "Vases": _vase, "Lamps": _lamp,
    "Chairs": _chair, "Rugs": _rug, "Cushions": _cushion, "Clocks": _clock, "Bags": _bag,
    "Planters": _planter, "Umbrellas": _umbrella,
}  # fmt: skip
