"""A description as rows for a terminal, and as a page with distributions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cliper import __version__
from cliper.data import Dataset
from cliper.experiments.describe.facts import Description, Spread
from cliper.experiments.describe.memory import MemoryFacts
from cliper.experiments.describe.texts import BIN, CLIP, LONG_CLIP
from cliper.experiments.drawing.style import INK, MUTED, colour, draw, legend, visible
from cliper.experiments.reports.page.model import (
    Cell,
    DatasetSection,
    Graphic,
    PicturesSection,
    Report,
    ReportItem,
    Row,
    Section,
    Table,
    TablesSection,
)
from cliper.experiments.reports.page.render import render
from cliper.files import write_text


def description_rows(facts: Description) -> list[tuple[str, str, str]]:
    """(group, what, value) rows, in the order of reading."""
    rows = [
        ("data", "users", f"{facts.users:,}"),
        ("data", "items", f"{facts.items:,}"),
        ("data", "interactions", f"{facts.interactions:,}"),
        ("data", "sparsity", f"{100 * facts.sparsity:.2f} %"),
        ("data", "interactions a user", _spread(facts.per_user)),
        ("data", "interactions an item", _spread(facts.per_item)),
        ("data", "items nobody has taken", f"{facts.never_taken:,}"),
        ("data", "concentration on items (Gini)", f"{facts.gini:.2f}"),
    ]
    if facts.first:
        rows.append(("data", "from, to", f"{facts.first}, {facts.last}"))
    if facts.equal_times:
        share = 100 * facts.equal_times / facts.interactions
        value = f"{facts.equal_times:,} ({share:.1f} %), in an order that split.seed draws"
        rows.append(("data", "interactions at one moment of a user", value))
    if facts.ratings:
        shown = ", ".join(f"{rating}: {count:,}" for rating, count in facts.ratings.items())
        rows.append(("data", "ratings", shown))
    for field in facts.fields:
        view = f"; no view: {field.left_out}" if field.left_out else ""
        share = 100 * field.missing / max(1, facts.items)
        value = f"missing {field.missing:,} ({share:.1f} %), {field.distinct:,} values{view}"
        rows.append(("fields", field.name, value))
    for text in facts.texts:
        over = f"{text.over_clip:,} over {CLIP}, {text.over_long_clip:,} over {LONG_CLIP}"
        rows.append(("tokens", text.view, f"median {text.median:g}, most {text.most:,}; {over}"))
    pictures = facts.pictures
    if pictures is not None:
        rows += [
            ("pictures", "items with one", f"{pictures.present:,}"),
            ("pictures", "items without", f"{pictures.missing:,}"),
            ("pictures", "different files", f"{pictures.distinct:,}"),
            ("pictures", "items that share a file", f"{pictures.shared:,}"),
        ]
        if pictures.addresses:
            rows.append(("pictures", "to be fetched (cliper images)", f"{pictures.addresses:,}"))
        if pictures.looked_at:
            alike = f"{pictures.alike:,} items in {pictures.groups:,} groups"
            rows.append(("pictures", "near duplicates", alike))
            if pictures.unreadable:
                rows.append(("pictures", "not readable", f"{pictures.unreadable:,}"))
    for section, reasons in facts.dropped.items():
        rows += [("dropped", f"{section}: {reason}", f"{n:,}") for reason, n in reasons.items()]
    rows += [("memory", held.backbone, _memory(held)) for held in facts.memory]
    return rows


def _memory(held: MemoryFacts) -> str:
    pair = f", {held.item_pair:.0f} a pair of items" if held.item_pair else ""
    each = f"{held.user:,.0f} a user, {held.item:,.0f} an item, {held.interaction:.0f} a row{pair}"
    return f"bytes: {each}; here at most {held.users:,} users, {held.items:,} items"


def write_description(path: Path, facts: Description, dataset: Dataset, command: str) -> None:
    """Write the page, whole or not at all."""
    report = Report(
        title=f"{facts.name} at a glance",
        lead="Users, items and their interactions; what is known of the items, how long their "
        "texts are against what encoders read, and what is missing.",
        sections=tuple(_sections(facts, dataset)),
        highlights=(
            (f"{facts.users:,}", "users", f"{facts.per_user.median:g} interactions each (median)"),
            (f"{facts.items:,}", "items", f"{facts.per_item.median:g} interactions each (median)"),
            (f"{facts.interactions:,}", "interactions", f"{100 * facts.sparsity:.2f} % sparse"),
        ),
        footer=f"cliper {__version__} · {command}",
    )
    write_text(path, render(report))


def _sections(facts: Description, dataset: Dataset) -> list[Section]:
    rows = description_rows(facts)
    dropped = tuple(
        (f"{section}: {reason}", count)
        for section, reasons in facts.dropped.items()
        for reason, count in reasons.items()
    )
    numbers = tuple((what, value) for group, what, value in rows if group == "data")
    log = dataset.interactions
    graphics = [
        Graphic(_counts("Interactions of a user", log.user_counts(), "users")),
        Graphic(_counts("Interactions of an item", log.item_counts(), "items")),
        Graphic(_long_tail(log.item_counts())),
    ]
    if facts.first and log.timestamp is not None:
        graphics.append(Graphic(_over_time(log.timestamp / dataset.times_per_second)))
    sections: list[Section] = [
        DatasetSection("The data", "", numbers, dropped),
        TablesSection("Who takes what", "", graphics=tuple(graphics)),
    ]
    if facts.fields:
        fields = [(w, v) for g, w, v in rows if g in ("fields", "pictures")]
        table = _table("field", ("", *(w for w, _ in fields)), [v for _, v in fields])
        bars = Graphic(_missing(facts), "Share of the items; fields without a view are hatched.")
        sections.append(TablesSection("What is known of the items", "", (table,), (bars,)))
    if facts.texts:
        tokens = [(w, v) for g, w, v in rows if g == "tokens"]
        table = _table("view", ("", *(w for w, _ in tokens)), [v for _, v in tokens])
        graphic = Graphic(_lengths(facts), "The lines are what CLIP and Long-CLIP read at most.")
        sections.append(TablesSection("How long the texts are", "", (table,), (graphic,)))
    if facts.pictures is not None and facts.pictures.samples:
        sections.append(
            PicturesSection(
                "Pictures that look alike",
                "At most 3 of 64 bits of their perceptual hashes differ. Items with the same "
                "picture cannot be told apart by it.",
                groups=tuple(_group(dataset, ids) for ids in facts.pictures.samples),
            )
        )
    return sections


def _table(corner: str, heads: Sequence[str], values: Sequence[str]) -> Table:
    rows = tuple(Row(h, (Cell(v),)) for h, v in zip(heads[1:], values, strict=True))
    return Table(("",), rows, corner)


def _group(dataset: Dataset, ids: Sequence[str]) -> tuple[ReportItem, ...]:
    assert dataset.catalogue is not None
    catalogue = dataset.catalogue
    title = "title" if "title" in catalogue.fields else None
    found = catalogue.items.find(list(ids))
    items = []
    for item, i in zip(ids, found, strict=True):
        name = catalogue.images[i]
        shown = catalogue.table.column(title)[int(i)].as_py() if title else None
        path = None if name is None else catalogue.image_root / name
        items.append(ReportItem(str(shown or item), path))
    return tuple(items)


def _spread(s: Spread) -> str:
    return f"{s.least:g} … {s.median:g} … {s.most:,g} (mean {s.mean:.1f})"


def _counts(title: str, counts: np.ndarray, who: str) -> str:
    """A histogram over bins that grow by a factor: counts are skewed wherever people choose."""

    def paint(ax: Axes) -> None:
        top = max(2.0, float(counts.max(initial=1)) + 1)
        edges = np.unique(np.round(np.geomspace(1, top, 24))).tolist()
        some = counts[counts > 0]
        ax.hist(some, bins=edges, color=colour(1))
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,g}"))  # no 10^x markup
        ax.set_xlabel("interactions")
        ax.set_ylabel(who)
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))

    return draw(title, paint)


def _long_tail(counts: np.ndarray) -> str:
    """The share of all interactions that the most popular items take."""

    def paint(ax: Axes) -> None:
        ordered = np.sort(counts)[::-1]
        share = 100 * np.cumsum(ordered) / max(1, ordered.sum())
        ax.plot(100 * np.arange(1, len(share) + 1) / len(share), share, color=colour(1), lw=2)
        ax.plot([0, 100], [0, 100], color=MUTED, lw=1, ls=(0, (3, 3)))
        ax.set_xlabel("most popular items, percent")
        ax.set_ylabel("of all interactions, percent")

    return draw("The long tail", paint)


def _over_time(seconds: np.ndarray) -> str:
    def paint(ax: Axes) -> None:
        days = (seconds / 86400).astype("datetime64[D]")
        ax.hist(days, bins=40, color=colour(1))
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.set_ylabel("interactions")

    return draw("Over time", paint)


def _missing(facts: Description) -> str:
    names = [field.name for field in facts.fields]
    shares = [100 * field.missing / max(1, facts.items) for field in facts.fields]
    hatches = ["////" if field.left_out else "" for field in facts.fields]
    if facts.pictures is not None:
        names.append("picture")
        shares.append(100 * facts.pictures.missing / max(1, facts.items))
        hatches.append("")

    def paint(ax: Axes) -> None:
        places = np.arange(len(names))[::-1]
        ax.barh(places, shares, color=colour(2), hatch=hatches, edgecolor=INK, linewidth=0)
        ax.set_yticks(places, [visible(name) for name in names])
        ax.set_xlim(0, max(5.0, *shares))
        ax.set_xlabel("missing, percent of the items")
        ax.grid(axis="y", visible=False)

    return draw("What is missing", paint, height=1.2 + 0.28 * len(names))


def _lengths(facts: Description) -> str:
    def paint(ax: Axes) -> None:
        edges = BIN * np.arange(len(facts.texts[0].histogram))
        for place, text in enumerate(facts.texts):
            share = 100 * np.cumsum(text.histogram) / max(1, text.present)
            ax.plot(edges + BIN, share, color=colour(place), lw=1.8, label=visible(text.view))
        for limit in (CLIP, LONG_CLIP):
            ax.axvline(limit, color=INK, lw=1, ls=(0, (3, 3)))
        ax.set_xlabel("tokens at most")
        ax.set_ylabel("items, percent")
        legend(ax, len(facts.texts))

    return draw("Length of the views", paint, width=6.4)
