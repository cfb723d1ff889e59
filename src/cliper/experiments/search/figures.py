"""Figures of a search: how the best came about, and which settings mattered."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from cliper.experiments.drawing.style import INK, SERIES, draw, legend, short
from cliper.experiments.search.outcome import SearchOutcome


def history_figure(outcome: SearchOutcome) -> str:
    """An SVG of each trial's validation Recall@20 in percent, and of the best so far."""
    complete = [t for t in outcome.trials if t.state == "complete" and t.value is not None]
    pruned = [t for t in outcome.trials if t.state == "pruned" and t.value is not None]

    def paint(ax: Axes) -> None:
        best = 0.0
        steps = []
        for trial in complete:
            best = max(best, 100 * (trial.value or 0.0))
            steps.append(best)
        ax.step(
            [t.number for t in complete], steps, where="post", color=SERIES[1], label="best so far"
        )
        for trials, label, filled in ((complete, "complete", True), (pruned, "broken off", False)):
            if trials:
                ax.scatter(
                    [t.number for t in trials],
                    [100 * (t.value or 0.0) for t in trials],
                    s=22,
                    facecolors=SERIES[0] if filled else "none",
                    edgecolors=SERIES[0],
                    label=label,
                )
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("configuration")
        ax.set_ylabel("validation Recall@20, percent")
        legend(ax, 2 + bool(pruned))

    return draw("Search", paint)


def importance_figure(importance: Mapping[str, float]) -> str:
    """An SVG of horizontal bars: each setting's share of what the search saw vary."""

    def paint(ax: Axes) -> None:
        y = range(len(importance))
        ax.barh(y, [100 * value for value in importance.values()], 0.62, color=SERIES[1])
        ax.set_yticks(y, [short(key, 32) for key in importance])
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelcolor=INK)
        ax.grid(axis="y", visible=False)
        ax.set_xlim(left=0)
        ax.set_xlabel("importance by PED-ANOVA, percent")

    return draw("Which settings mattered", paint, height=0.9 + 0.36 * max(len(importance), 3))
