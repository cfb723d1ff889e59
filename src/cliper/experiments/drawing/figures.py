"""Vector figures as inline SVG, drawn in the style of `figure_style`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cliper.experiments.drawing.style import (
    DASHES,
    INK,
    SERIES,
    colour,
    draw,
    legend,
    short,
    visible,
)


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


def training_curves(curves: Sequence[Curve]) -> tuple[str, str]:
    """Two SVGs: the loss by epoch, and validation Recall@20 (in percent) by epoch."""
    loss = draw(
        "Training loss", lambda ax: _lines(ax, curves, [c.loss for c in curves], "loss", False)
    )
    percent = [tuple(100 * value for value in c.recall) for c in curves]
    recall = draw(
        "Validation Recall@20", lambda ax: _lines(ax, curves, percent, "Recall@20, percent", True)
    )
    return loss, recall


def comparison_bars(groups: Mapping[str, Sequence[Bar]], title: str) -> str:
    """Grouped bars in percent, one deviation up and down: group (backbone) → bars (features)."""
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
            means = [100 * bar.mean for _, bar in chosen]
            spread = [100 * (bar.deviation or 0.0) for _, bar in chosen]
            ax.bar(x, means, width * 0.9, color=colour(place), label=visible(label))
            ax.errorbar(
                x, means, spread, fmt="none", color=INK, ecolor=INK, elinewidth=1, capsize=2.5
            )
        ax.set_xticks(range(len(groups)), [short(name, 18) for name in groups])
        ax.tick_params(axis="x", length=0, labelcolor=INK)
        ax.grid(axis="x", visible=False)
        ax.set_ylabel("percent")
        legend(ax, len(labels))

    return draw(title, paint)


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
            color=colour(order),
            linestyle=DASHES[order // len(SERIES) % len(DASHES)],
            linewidth=1.8,
            label=None if curve.label in seen else visible(curve.label),
        )
        seen.add(curve.label)
        best = [(x, v) for x, v in finite if mark_best and x == curve.best_epoch]
        for x, v in best:
            ax.plot([x], [v], "o", color=colour(order), markersize=6)
    ax.set_xlabel("epoch")
    ax.set_ylabel(y_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax, len(labels))
