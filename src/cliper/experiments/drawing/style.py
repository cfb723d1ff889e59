"""The look of all figures: inline SVG, deterministic bytes, readable on dark and light paper.

Colours are CSS variables with a fallback (`var(--fig-1, #0f766e)`), so that the page decides and
a figure on its own is still right. Text stays text. There is no global state: every figure has
its own canvas.
"""

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Matplotlib wants colours that it can parse, so each variable has a stand-in that occurs nowhere
# else and is swapped for the variable in the finished SVG.
INK, MUTED, GRID = "#010101", "#010102", "#010103"
SERIES = ("#010111", "#010112", "#010113", "#010114", "#010115", "#010116")
_VARIABLES: dict[str, str] = {
    INK: "var(--fig-ink, currentColor)",
    MUTED: "var(--fig-muted, #78716c)",
    GRID: "var(--fig-grid, #d6d3d1)",
    SERIES[0]: "var(--fig-1, #8b8378)",
    SERIES[1]: "var(--fig-2, #0f766e)",
    SERIES[2]: "var(--fig-3, #c2410c)",
    SERIES[3]: "var(--fig-4, #4f46e5)",
    SERIES[4]: "var(--fig-5, #a16207)",
    SERIES[5]: "var(--fig-6, #be185d)",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "cliper",
    "text.parse_math": False,  # a title may hold a dollar sign
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_PAPER = (
    "svg{color:#1c1917}@media(prefers-color-scheme:dark){svg{color:#e7e5e4;--fig-muted:#a8a29e;"
    "--fig-grid:#44403c;--fig-1:#a8a29e;--fig-2:#2dd4bf;--fig-3:#fb923c;--fig-4:#818cf8;"
    "--fig-5:#facc15;--fig-6:#f472b6}}"
)
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)))


def legend(ax: Axes, entries: int) -> None:
    """A legend above the axes, and the room that the title needs over it."""
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


def draw(title: str, paint: Callable[[Axes], None], width: float = 4.8, height: float = 3.1) -> str:
    """One figure of one pair of axes as SVG.

    Args:
        title: above the figure, and what a screen reader says.
        paint: draws into the axes, with colours of this module alone.
        width, height: in inches, which set the size of text against that of the figure.
    """
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a glyph that only the reader's font has
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_title(short(title, 60))
        paint(axes)
        stream = io.StringIO()
        figure.savefig(
            stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _inline(stream.getvalue(), title)


def standalone(svg: str) -> str:
    """A figure as a file of its own, which follows the reader's choice of dark or light."""
    start = svg.index(">") + 1
    return f"{svg[:start]}<style>{_PAPER}</style>{svg[start:]}\n"


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
    escaped = short(title, 120).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return svg.replace(
        "<svg", f'<svg role="img" style="stroke-linejoin: round" aria-label="{escaped}"', 1
    ).strip()


def colour(order: int) -> str:
    """The colour of the n-th series."""
    return SERIES[order % len(SERIES)]


def visible(label: str) -> str:
    """Matplotlib hides labels that begin with an underscore."""
    text = short(label, 32)
    return "\u200b" + text if text.startswith("_") else text


def short(text: str, limit: int) -> str:
    """At most `limit` characters of printable text, on one line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
