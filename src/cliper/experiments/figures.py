"""Vector figures as inline SVG: deterministic bytes, readable on dark and on light paper.

Colours are CSS variables with a fallback (`var(--fig-1, #0f766e)`), so that the page decides and
a figure on its own is still right. Text stays text. There is no global state: every figure has
its own canvas.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Matplotlib wants colours that it can parse, so each variable has a stand-in that occurs nowhere
# else and is swapped for the variable in the finished SVG.
_INK, _MUTED, _GRID = "#010101", "#010102", "#010103"
_SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115", "#010116")
_VARIABLES: dict[str, str] = {
    _INK: "var(--fig-ink, currentColor)",
    _MUTED: "var(--fig-muted, #78716c)",
    _GRID: "var(--fig-grid, #d6d3d1)",
    _SERIES[0]: "var(--fig-1, #8b8378)",
    _SERIES[1]: "var(--fig-2, #0f766e)",
    _SERIES[2]: "var(--fig-3, #c2410c)",
    _SERIES[3]: "var(--fig-4, #4f46e5)",
    _SERIES[4]: "var(--fig-5, #a16207)",
    _SERIES[5]: "var(--fig-6, #be185d)",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cliper",
    "text.parse_math": False,  # a title may hold a dollar sign
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _MUTED,
    "axes.titlecolor": _INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _MUTED,
    "ytick.labelcolor": _MUTED,
    "text.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))


@dataclass(frozen=True)
class Curve:
    """The training of one run, one value an evaluated epoch.

    Attributes:
        label: runs with equal labels (seeds) share a colour and one legend entry.
        epochs, loss, recall: parallel; NaN where an epoch has no value.
        best_epoch: the selected one, drawn as a dot; None where there is none.
    """

    label: str
    epochs: tuple[int, ...]
    loss: tuple[float, ...]
    recall: tuple[float, ...]
    best_epoch: int | None = None


@dataclass(frozen=True)
class Bar:
    """One bar: mean and standard deviation (None for a single run)."""

    label: str
    mean: float
    deviation: float | None = None


def training_curves(curves: Sequence[Curve], metric: str = "Recall@20") -> tuple[str, str]:
    """Two SVGs: the loss by epoch, and the validation metric (in percent) by epoch."""
    loss = _draw(
        "Training loss", lambda ax: _lines(ax, curves, [c.loss for c in curves], "loss", False)
    )
    percent = [tuple(100 * value for value in c.recall) for c in curves]
    recall = _draw(
        f"Validation {metric}", lambda ax: _lines(ax, curves, percent, f"{metric}, percent", True)
    )
    return loss, recall


def comparison_bars(
    groups: Mapping[str, Sequence[Bar]], title: str, unit: str = "percent", scale: float = 100.0
) -> str:
    """Grouped bars with one deviation up and down: group (backbone) → bars (kinds of features)."""
    labels = list(dict.fromkeys(bar.label for bars in groups.values() for bar in bars))
    width = 0.8 / max(len(labels), 1)

    def paint(ax: Axes) -> None:
        for place, label in enumerate(labels):
            chosen = [
                (at, bar)
                for at, bars in enumerate(groups.values())
                for bar in bars
                if bar.label == label
            ]
            x = [at + (place - (len(labels) - 1) / 2) * width for at, _ in chosen]
            means = [bar.mean * scale for _, bar in chosen]
            spread = [(bar.deviation or 0.0) * scale for _, bar in chosen]
            ax.bar(x, means, width * 0.9, color=_colour(place), label=_visible(label))
            ax.errorbar(
                x, means, spread, fmt="none", color=_INK, ecolor=_INK, elinewidth=1, capsize=2.5
            )
        ax.set_xticks(range(len(groups)), [_short(name, 18) for name in groups])
        ax.tick_params(axis="x", length=0, labelcolor=_INK)
        ax.grid(axis="x", visible=False)
        ax.set_ylabel(unit)
        _legend(ax, len(labels))

    return _draw(title, paint)


def view_weight_bars(bars: Sequence[Bar], title: str = "Mean weight of each view") -> str:
    """Horizontal bars of weights in percent with their deviation over items."""

    def paint(ax: Axes) -> None:
        y = range(len(bars))
        spread = [100 * (bar.deviation or 0.0) for bar in bars]
        means = [100 * bar.mean for bar in bars]
        ax.barh(y, means, 0.62, color=_SERIES[1])
        ax.errorbar(
            means, y, xerr=spread, fmt="none", color=_INK, ecolor=_INK, elinewidth=1, capsize=2.5
        )
        ax.set_yticks(y, [_short(bar.label, 18) for bar in bars])
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelcolor=_INK)
        ax.grid(axis="y", visible=False)
        ax.set_xlim(left=0)
        ax.set_xlabel("percent of an item's text representation")

    return _draw(title, paint, height=0.9 + 0.36 * max(len(bars), 3))


def heatmap(
    values: npt.NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], title: str
) -> str:
    """A grid of cells, (rows, columns), darker for larger, with the number in each cell."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))

    def paint(ax: Axes) -> None:
        for (r, c), value in np.ndenumerate(values):
            if not np.isfinite(value):
                continue
            share = (value - low) / (high - low) if high > low else 0.5
            box = (c - 0.48, r - 0.46), 0.96, 0.92
            patch = mpl.patches.Rectangle(*box, facecolor=_SERIES[1], alpha=0.06 + 0.62 * share)
            ax.add_patch(patch)
            ax.text(c, r, f"{value:.3g}", ha="center", va="center", color=_INK, fontsize=9)
        ax.set_xlim(-0.5, len(columns) - 0.5)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xticks(range(len(columns)), [_short(name, 14) for name in columns])
        ax.set_yticks(range(len(rows)), [_short(name, 18) for name in rows])
        ax.tick_params(length=0, labelcolor=_INK)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)

    return _draw(title, paint, height=1.0 + 0.36 * max(len(rows), 3))


def _lines(
    ax: Axes,
    curves: Sequence[Curve],
    values: Sequence[tuple[float, ...]],
    y_label: str,
    mark_best: bool,
) -> None:
    labels = list(dict.fromkeys(curve.label for curve in curves))
    seen: set[str] = set()
    for curve, y in zip(curves, values, strict=True):
        order = labels.index(curve.label)
        finite = [(x, v) for x, v in zip(curve.epochs, y, strict=True) if np.isfinite(v)]
        ax.plot(
            [x for x, _ in finite],
            [v for _, v in finite],
            color=_colour(order),
            linestyle=_DASHES[order // len(_SERIES) % len(_DASHES)],
            linewidth=1.8,
            label=None if curve.label in seen else _visible(curve.label),
        )
        seen.add(curve.label)
        best = [(x, v) for x, v in finite if mark_best and x == curve.best_epoch]
        for x, v in best:
            ax.plot([x], [v], "o", color=_colour(order), markersize=6)
    ax.set_xlabel("epoch")
    ax.set_ylabel(y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(ax, len(labels))


def _legend(ax: Axes, entries: int) -> None:
    if entries:
        columns = 2 if entries > 3 else entries
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=columns,
            borderaxespad=0,
            handlelength=1.2,
            columnspacing=1.2,
        )
        ax.set_title(ax.get_title(loc="left"), pad=10 + 15 * -(-entries // columns))


def _draw(title: str, paint: Any, width: float = 4.8, height: float = 3.1) -> str:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that only the reader's font has
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_title(_short(title, 60))
        paint(axes)
        stream = io.StringIO()
        figure.savefig(
            stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _inline(stream.getvalue(), title)


def _inline(svg: str, title: str) -> str:
    """Fit for a page: no prologue, no fixed size, ids of its own, colours by variable."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Matplotlib's one style rule is for `*`, which would be the whole page.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # Ids repeat from figure to figure; a page must not hold one twice.
    own = "f" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = re.sub(r'(?<=\bid=")(?=[^"])', f"{own}-", svg)
    svg = re.sub(r"(?<=url\(#)|(?<=href=\"#)", f"{own}-", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    svg = svg.replace("'DejaVu Sans'", "var(--fig-font, sans-serif)")
    escaped = _short(title, 120).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace(
        "<svg", f'<svg role="img" style="stroke-linejoin: round" aria-label="{escaped}"', 1
    ).strip()


def _colour(order: int) -> str:
    return _SERIES[order % len(_SERIES)]


def _visible(label: str) -> str:
    """Matplotlib hides labels that begin with an underscore."""
    short = _short(label, 32)
    return "\u200b" + short if short.startswith("_") else short


def _short(text: str, limit: int) -> str:
    """At most `limit` characters of printable text, on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
