"""One drawing per category of the generated shop, each with its own variation."""

from collections.abc import Callable

import numpy as np

from cliper.demo.canvas import Points, Sketch, arc

Draw = Callable[[Sketch, np.random.Generator], None]


def _u(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _mug(s: Sketch, rng: np.random.Generator) -> None:
    top, w = _u(rng, 0.3, 0.42), _u(rng, 0.19, 0.24)
    taper, reach = _u(rng, 0.0, 0.06), _u(rng, 0.11, 0.16)
    middle = (top + 0.82) / 2
    s.stroke(arc(0.5 + w - 0.02, middle, reach, (0.82 - top) * 0.3, -95, 95), 0.045, "solid")
    s.lathe([(top, w), (0.7, w - taper * 0.5), (0.82, w - taper - 0.02)])
    s.ellipse(0.5, top, w, w * 0.13, "inner", "flat")


def _teapot(s: Sketch, rng: np.random.Generator) -> None:
    w, top = _u(rng, 0.21, 0.25), _u(rng, 0.4, 0.46)
    s.stroke(arc(0.5 - w, 0.6, 0.13, 0.14, 80, 280), 0.04, "trim")
    spout = [(0.5 + w * 0.8, 0.7), (0.5 + w + 0.12, 0.47), (0.5 + w + 0.19, 0.44)]
    back = [(0.5 + w + 0.16, 0.5), (0.5 + w * 0.8, 0.56)]
    s.polygon(np.array([*spout, back[0], (0.5 + w + 0.02, 0.72), back[1]]), "solid")
    s.lathe([(top, w * 0.55), (0.52, w * 0.95), (0.64, w), (0.76, w * 0.8), (0.81, w * 0.55)])
    s.lathe([(top - 0.07, w * 0.14), (top - 0.03, w * 0.45), (top, w * 0.55)])
    s.ellipse(0.5, top - 0.1, 0.032, 0.032, "trim")


def _bowl(s: Sketch, rng: np.random.Generator) -> None:
    w, top, depth = _u(rng, 0.31, 0.38), _u(rng, 0.46, 0.52), _u(rng, 0.2, 0.3)
    foot = top + depth
    s.lathe([(top, w), (top + depth * 0.55, w * 0.82), (foot, w * _u(rng, 0.3, 0.45))], depth=0.2)
    s.ellipse(0.5, top, w, w * 0.2, "inner", "flat")


_VASES = (
    ((0.0, 0.28), (0.12, 0.22), (0.3, 0.55), (0.65, 1.0), (1.0, 0.5)),
    ((0.0, 0.5), (0.15, 0.42), (0.45, 1.0), (0.8, 0.75), (1.0, 0.55)),
    ((0.0, 0.62), (0.5, 0.72), (0.9, 0.95), (1.0, 0.8)),
    ((0.0, 0.2), (0.4, 0.2), (0.6, 0.8), (0.8, 1.0), (1.0, 0.65)),
)


def _vase(s: Sketch, rng: np.random.Generator) -> None:
    top, w = _u(rng, 0.28, 0.4), _u(rng, 0.14, 0.2)
    shape = _VASES[int(rng.integers(len(_VASES)))]
    profile = [(top + y * (0.86 - top), half * w) for y, half in shape]
    if rng.random() < 0.45:
        for angle in rng.uniform(-0.5, 0.5, int(rng.integers(2, 5))):
            tip = (0.5 + np.sin(angle) * 0.26, top - np.cos(angle) * 0.24)
            s.stroke([(0.5, top + 0.02), tip], 0.01, "leaf")
            for share in (0.45, 0.7, 1.0):
                x, y = 0.5 + (tip[0] - 0.5) * share, top + (tip[1] - top) * share
                s.ellipse(x, y, 0.026, 0.038, "leaf")
    s.lathe(profile)
    s.ellipse(0.5, top, profile[0][1], profile[0][1] * 0.13, "inner", "flat")


def _lamp(s: Sketch, rng: np.random.Generator) -> None:
    low, high = _u(rng, 0.2, 0.27), _u(rng, 0.1, 0.18)
    top, height = _u(rng, 0.14, 0.2), _u(rng, 0.24, 0.32)
    if rng.random() < 0.3:  # a pendant
        s.stroke([(0.5, 0.0), (0.5, top + 0.12)], 0.012, "dark")
        s.lathe([(top + 0.12, 0.05), (top + 0.2, high), (top + 0.2 + height, low)])
        s.ellipse(0.5, top + 0.2 + height, low, low * 0.13, "face", "flat")
        s.shadow = "wall"
        return
    foot = _u(rng, 0.1, 0.15)
    s.stroke([(0.5, top + height), (0.5, 0.82)], _u(rng, 0.02, 0.035), "trim")
    if rng.random() < 0.5:
        s.lathe([(0.6, 0.03), (0.72, foot * 0.95), (0.85, foot * 0.6)], role="trim")
    else:
        s.lathe([(0.82, foot * 0.8), (0.86, foot)], role="trim", depth=0.2)
    s.lathe([(top, high), (top + height, low)])


def _chair(s: Sketch, rng: np.random.Generator) -> None:
    w, seat, top = _u(rng, 0.19, 0.24), _u(rng, 0.54, 0.6), _u(rng, 0.14, 0.24)
    splay, arms = _u(rng, 0.0, 0.05), rng.random() < 0.4
    for x in (-1, 1):
        s.stroke([(0.5 + x * w * 0.75, seat), (0.5 + x * (w * 0.75 + splay), 0.8)], 0.026)
    round_top = _u(rng, 0.04, 0.16)
    back = np.concatenate(
        [
            arc(0.5 - w + round_top, top + round_top, round_top, round_top, 180, 270, 12),
            arc(0.5 + w - round_top, top + round_top, round_top, round_top, 270, 360, 12),
            [(0.5 + w * 0.92, seat), (0.5 - w * 0.92, seat)],
        ]
    )
    s.polygon(back)
    if arms:
        for x in (-1, 1):
            s.stroke(
                [(0.5 + x * w, seat - 0.12), (0.5 + x * (w + 0.05), seat + 0.06)], 0.06, "solid"
            )
    d = 0.07
    s.polygon(_rounded(0.5 - w - 0.03, seat - 0.02, 0.5 + w + 0.03, seat + d, 0.035))
    for x in (-1, 1):
        s.stroke([(0.5 + x * w, seat + d), (0.5 + x * (w + splay), 0.87)], 0.03)


def _rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> Points:
    return np.concatenate(
        [
            arc(x0 + r, y0 + r, r, r, 180, 270, 8),
            arc(x1 - r, y0 + r, r, r, 270, 360, 8),
            arc(x1 - r, y1 - r, r, r, 0, 90, 8),
            arc(x0 + r, y1 - r, r, r, 90, 180, 8),
        ]
    )


def _rug(s: Sketch, rng: np.random.Generator) -> None:
    s.shadow = "wall"
    if rng.random() < 0.3:
        rx, ry = _u(rng, 0.36, 0.42), _u(rng, 0.3, 0.4)
        s.ellipse(0.5, 0.52, rx, ry, "trim", "flat")
        s.ellipse(0.5, 0.52, rx - 0.025, ry - 0.025, "body", "flat")
        return
    lean, x, y = _u(rng, 0.0, 0.09), _u(rng, 0.3, 0.41), _u(rng, 0.24, 0.36)
    corners = np.array(
        [
            (0.5 - x + lean, 0.52 - y),
            (0.5 + x - lean, 0.52 - y),
            (0.5 + x, 0.52 + y),
            (0.5 - x, 0.52 + y),
        ]
    )
    if rng.random() < 0.6:  # fringes along top and bottom
        for a, b, out in ((corners[0], corners[1], -0.04), (corners[3], corners[2], 0.045)):
            for share in np.linspace(0.01, 0.99, 24):
                start = a + (b - a) * share
                s.stroke([tuple(start), (start[0], start[1] + out)], 0.009, "fringe")
    s.polygon(corners, "trim", "flat")
    s.polygon(corners + (0.52 - corners) * 0.075, "body", "flat")


def _cushion(s: Sketch, rng: np.random.Generator) -> None:
    rx, ry, pinch = _u(rng, 0.31, 0.37), _u(rng, 0.22, 0.36), _u(rng, 0.02, 0.05)
    t = np.radians(np.linspace(0, 360, 120))
    power = _u(rng, 0.28, 0.45)
    x = np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power
    y = np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power
    pull = 1 - pinch * np.cos(2 * t) ** 2
    outline = np.stack([0.5 + rx * x * pull, 0.54 + ry * y * pull], axis=1)
    if rng.random() < 0.4:
        for cx, cy in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
            s.ellipse(0.5 + cx * rx * 0.95, 0.54 + cy * ry * 0.95, 0.034, 0.034, "trim")
    s.polygon(outline)


def _clock(s: Sketch, rng: np.random.Generator) -> None:
    s.shadow = "wall"
    r, rim = _u(rng, 0.3, 0.36), _u(rng, 0.05, 0.13)
    if rng.random() < 0.3:
        s.polygon(_rounded(0.5 - r, 0.5 - r, 0.5 + r, 0.5 + r, 0.08))
    else:
        s.ellipse(0.5, 0.5, r, r)
    inner = r - rim
    s.ellipse(0.5, 0.5, inner, inner, "face", "flat")
    step = 30 if rng.random() < 0.6 else 90
    for angle in np.radians(np.arange(0, 360, step)):
        way = np.array([np.cos(angle), np.sin(angle)])
        s.stroke([tuple(0.5 + way * inner * 0.82), tuple(0.5 + way * inner * 0.92)], 0.012, "dark")
    for angle, length, width in (
        (_u(rng, 0, 6.3), 0.5, 0.022),
        (_u(rng, 0, 6.3), 0.75, 0.015),
    ):
        tip = (0.5 + np.cos(angle) * inner * length, 0.5 + np.sin(angle) * inner * length)
        s.stroke([(0.5, 0.5), tip], width, "dark")
    s.ellipse(0.5, 0.5, 0.02, 0.02, "dark", "flat")


def _bag(s: Sketch, rng: np.random.Generator) -> None:
    w, top, flare = _u(rng, 0.23, 0.3), _u(rng, 0.4, 0.46), _u(rng, -0.03, 0.05)
    grip, rise = _u(rng, 0.09, 0.14), _u(rng, 0.18, 0.26)
    s.stroke(arc(0.5, top + 0.02, grip + 0.02, rise, 180, 360), 0.022, "dark")
    body = np.array(
        [
            (0.5 - w + flare, top),
            (0.5 + w - flare, top),
            (0.5 + w, 0.84),
            (0.5 + w - 0.03, 0.87),
            (0.5 - w + 0.03, 0.87),
            (0.5 - w, 0.84),
        ]
    )
    s.polygon(body)
    if rng.random() < 0.45:  # a satchel's flap
        reach = _u(rng, 0.14, 0.24)
        flap = np.array(
            [
                (0.5 - w + flare, top),
                (0.5 + w - flare, top),
                (0.5 + w * 0.85, top + reach),
                (0.5 - w * 0.85, top + reach),
            ]
        )
        s.polygon(flap, "trim")
        s.polygon(_rounded(0.475, top + reach - 0.03, 0.525, top + reach + 0.03, 0.01), "face")
    s.stroke(arc(0.5, top + 0.05, grip, rise, 180, 360), 0.028, "trim")


def _planter(s: Sketch, rng: np.random.Generator) -> None:
    top, w = _u(rng, 0.52, 0.58), _u(rng, 0.17, 0.23)
    n, long = int(rng.integers(6, 12)), _u(rng, 0.24, 0.36)
    for angle in np.linspace(-1.25, 1.25, n) + rng.normal(0, 0.08, n):
        length, wide = long * _u(rng, 0.75, 1.1), _u(rng, 0.028, 0.05)
        t = np.linspace(0, 1, 14)
        half = wide * np.sin(np.pi * t) ** 0.8
        along = np.stack(
            [np.sin(angle * (0.5 + 0.6 * t)), -np.cos(angle * (0.5 + 0.6 * t))], axis=1
        )
        spine = np.array([0.5, top]) + along * (t * length)[:, None]
        side = np.stack([-along[:, 1], along[:, 0]], axis=1) * half[:, None]
        s.polygon(np.concatenate([spine + side, (spine - side)[::-1]]), "leaf")
    s.lathe([(top, w), (0.75, w * 0.9), (0.87, w * _u(rng, 0.6, 0.85))])
    if rng.random() < 0.5:
        s.lathe([(top, w + 0.02), (top + 0.06, w + 0.02)])


def _umbrella(s: Sketch, rng: np.random.Generator) -> None:
    rx, top, base = _u(rng, 0.36, 0.42), _u(rng, 0.14, 0.2), _u(rng, 0.46, 0.52)
    s.stroke([(0.5, top - 0.05), (0.5, 0.84)], 0.016, "dark")
    s.stroke(arc(0.545, 0.84, 0.045, 0.05, 180, 0), 0.026, "trim")
    dome = arc(0.5, base, rx, base - top, 180, 360, 60)
    ribs = int(rng.integers(4, 7))
    edge = [
        arc(0.5 + rx - (2 * i + 1) * rx / ribs, base, rx / ribs, 0.035, 0, -180, 12)
        for i in range(ribs)
    ]
    s.polygon(np.concatenate([dome, *edge]), "body", "round")
    for i in range(1, ribs):
        x = 0.5 - rx + 2 * i * rx / ribs
        t = np.linspace(0, 1, 16)
        line = np.stack(
            [0.5 + (x - 0.5) * np.sin(t * np.pi / 2), top + (base - top) * t**1.6], axis=1
        )
        s.stroke(line, 0.006, "dark")


SHAPES: dict[str, Draw] = {
    "Mugs": _mug,
    "Teapots": _teapot,
    "Bowls": _bowl,
    "Vases": _vase,
    "Lamps": _lamp,
    "Chairs": _chair,
    "Rugs": _rug,
    "Cushions": _cushion,
    "Clocks": _clock,
    "Bags": _bag,
    "Planters": _planter,
    "Umbrellas": _umbrella,
}
