"""Figures of studies: differences with their intervals, along a scale or one below the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from cliper.experiments.drawing.style import (
    DASHES,
    INK,
    MUTED,
    SERIES,
    colour,
    draw,
    legend,
    short,
    visible,
)
from cliper.experiments.drawing.tables import metric_name
from cliper.experiments.studies.study import Measured


@dataclass(frozen=True)
class Point:
    """A value with its interval, fractions; shown in points (percent)."""

    label: str
    value: float
    low: float
    high: float


def dots(title: str, against: str) -> Callable[[Measured], str]:
    """Draws every contrast of a study."""

    def draw_it(measured: Measured) -> str:
        contrasts = measured.contrasts.values()
        points = [Point(c.label, c.difference, c.low, c.high) for c in contrasts]
        return difference_dots(points, title, f"{axis_title(measured)}, against {against}")

    return draw_it


def line(
    title: str, scale: str, tick: Callable[[str], str], against: str | None = None, of: str = ""
) -> Callable[[Measured], str]:
    """Draws arms along a scale, against the reference.

    Args:
        title, scale: above the figure and under its axis.
        tick: label of an arm → what stands at it on the scale.
        against: a name for the reference, instead of its label.
        of: how the labels of the arms on the scale begin.
    """

    def draw_it(measured: Measured) -> str:
        arms = [(tick(label), label) for label in measured.outcomes if label.startswith(of)]
        points = scale_points(measured, arms, measured.reference)
        axis = f"{axis_title(measured)}, against {against or measured.reference}"
        return difference_lines({"CLIPER": points}, title, scale, axis)

    return draw_it


def axis_title(measured: Measured) -> str:
    """E.g. `Recall@20, points`."""
    return f"{metric_name(measured.metric)}, points"


def scale_points(measured: Measured, arms: Sequence[tuple[str, str]], against: str) -> list[Point]:
    """Arms along a scale against one reference, itself included (0 wide).

    Args:
        measured: the runs.
        arms: (tick, label of the arm).
        against: label of the reference.
    """
    return [Point(tick, *measured.samples.difference(label, against)) for tick, label in arms]


def difference_dots(points: Sequence[Point], title: str, axis: str) -> str:
    """One line an arm: its difference from the reference (the vertical line at 0) and interval."""

    def paint(ax: Axes) -> None:
        y = range(len(points))
        values = [100 * p.value for p in points]
        ax.axvline(0, color=INK, linewidth=1)
        ax.errorbar(
            values, y, xerr=_reach(points), fmt="none", color=SERIES[1], elinewidth=2, capsize=3
        )
        ax.plot(values, y, "o", color=SERIES[1], markersize=6)
        ax.set_yticks(y, [short(p.label, 26) for p in points])
        ax.set_ylim(len(points) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(axis)

    return draw(title, paint, width=5.4, height=1.0 + 0.3 * max(len(points), 3))


def difference_lines(
    series: Mapping[str, Sequence[Point]],
    title: str,
    x_axis: str,
    y_axis: str,
    *,
    joined: bool = True,
) -> str:
    """Differences along an ordered scale, evenly spaced, with intervals; 0 is the reference.

    `joined`: draw a line through the points of a series.
    """
    ticks = list(dict.fromkeys(p.label for points in series.values() for p in points))

    def paint(ax: Axes) -> None:
        ax.axhline(0, color=INK, linewidth=1)
        for order, (name, points) in enumerate(series.items()):
            aside = 0.12 * (order - (len(series) - 1) / 2)
            x = [ticks.index(p.label) + aside for p in points]
            tone = colour(order + 1)
            y = [100 * p.value for p in points]
            line = DASHES[order % len(DASHES)] if joined else ""
            reach = _reach(points)
            ax.errorbar(x, y, reach, fmt="none", color=tone, elinewidth=1.6, capsize=3)
            ax.plot(x, y, "o", color=tone, markersize=5, linewidth=1.8, linestyle=line,
                    label=visible(name))  # fmt: skip
        ax.set_xticks(range(len(ticks)), [short(t, 12) for t in ticks])
        ax.set_xlabel(x_axis)
        ax.set_ylabel(y_axis)
        if len(series) > 1:
            legend(ax, len(series))

    return draw(title, paint, width=5.4)


def rank_heatmap(
    counts: npt.NDArray[np.int64], sums: Sequence[float], views: Sequence[str], title: str
) -> str:
    """The paper's Fig. 5: items per rank (rows) and view (columns), and the weighted sum below.

    Args:
        counts: (R, C), items whose view j has rank r; darker for more.
        sums: (C,), the sum of rank · count; smaller is more similar, darker.
        views: names of the C views.
        title: above it.
    """
    ranks = len(counts)

    def paint(ax: Axes) -> None:
        highest = max(float(counts.max()), 1.0)
        for (r, c), count in np.ndenumerate(counts):
            _cell(ax, c, r, float(count) / highest, f"{count:,}", SERIES[1])
        low, spread = min(sums), max(max(sums) - min(sums), 1e-9)
        for c, value in enumerate(sums):
            _cell(ax, c, ranks + 0.3, 1 - (value - low) / spread, f"{value:,.0f}", SERIES[2])
        ax.set_xlim(-0.5, len(views) - 0.5)
        ax.set_ylim(ranks + 0.85, -0.5)
        ax.set_xticks(range(len(views)), [short(name, 14) for name in views])
        ax.set_yticks([*range(ranks), ranks + 0.3], [*map(str, range(ranks)), "sum"])
        ax.set_ylabel("rank of the similarity", color=MUTED)
        ax.tick_params(length=0, labelcolor=INK)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)

    width = max(4.8, 1.2 + 0.9 * len(views))
    return draw(title, paint, width=width, height=1.3 + 0.4 * max(ranks + 1, 3))


def _cell(ax: Axes, x: float, y: float, share: float, text: str, tone: str) -> None:
    ax.add_patch(
        Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=tone, alpha=0.06 + 0.62 * share)
    )
    ax.text(x, y, text, ha="center", va="center", color=INK, fontsize=9)


def _reach(points: Sequence[Point]) -> list[list[float]]:
    """How far each interval reaches below and above its value, in points."""
    return [
        [100 * max(p.value - p.low, 0) for p in points],
        [100 * max(p.high - p.value, 0) for p in points],
    ]
