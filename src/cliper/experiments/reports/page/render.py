"""From a `Report` to one self-contained HTML file."""

import unicodedata
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cliper.experiments.drawing.figures import training_curves
from cliper.experiments.drawing.thumbnails import Thumbnails, make_thumbnails
from cliper.experiments.reports.page.model import (
    HIT,
    NEVER_BOUGHT,
    ItemsSection,
    MethodSection,
    PicturesSection,
    Report,
    UsersSection,
)

IMAGE_BUDGET = 3_000_000
MAX_TEXT = 1_000


def render(report: Report, image_budget: int = IMAGE_BUDGET) -> str:
    """The page as one string: no script, no outside request, every text escaped.

    Args:
        report: what to show.
        image_budget: bytes that all pictures together may take; their size follows from it.
    """
    thumbnails = make_thumbnails(_pictures(report), image_budget)
    environment = Environment(
        loader=PackageLoader("cliper.experiments.reports.page"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    environment.tests["contains_hit"] = lambda badges: HIT in badges
    environment.globals.update(
        HIT=HIT,
        NEVER_BOUGHT=NEVER_BOUGHT,
        thumbnail=lambda path: None if (uri := thumbnails.get(path)) is None else Markup(uri),
        trusted=Markup,
        training_curves=training_curves,
    )
    style = resources.files("cliper.experiments.reports.page").joinpath("templates/style.css")
    page = environment.get_template("page.html.j2").render(
        report=report,
        style=Markup(style.read_text(encoding="utf-8")),
        shape=f"{thumbnails.shape:.3f}",
        remarks=_remarks(thumbnails),
    )
    return page.rstrip() + "\n"


def _pictures(report: Report) -> Iterator[Path]:
    """Each picture as often as the page shows it."""
    for section in report.sections:
        if isinstance(section, UsersSection):
            for panel in section.panels:
                for items in (panel.history, *panel.columns.values()):
                    yield from (i.image_path for i in items if i.image_path is not None)
        elif isinstance(section, ItemsSection):
            found = (panel.item.image_path for panel in section.panels)
            yield from (path for path in found if path is not None)
        elif isinstance(section, PicturesSection):
            shown = (item.image_path for group in section.groups for item in group)
            yield from (path for path in shown if path is not None)
        elif isinstance(section, MethodSection) and section.example is not None:
            path = section.example.item.image_path
            yield from () if path is None else (path,)


def _remarks(thumbnails: Thumbnails) -> list[str]:
    remarks = []
    if thumbnails.unreadable:
        remarks.append(f"{thumbnails.unreadable} pictures could not be read.")
    if thumbnails.over_budget:
        remarks.append(f"{thumbnails.over_budget} pictures were left out to keep this file small.")
    return remarks


def _printable(value: Any) -> Any:
    """Catalogue text as a page can hold it: bounded, no controls, nothing that turns lines.

    >>> _printable("a\\x00b\\u202ec")
    'a b c'
    """
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT] + "…"
    return "".join(
        c if c in "\n\t\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else " "
        for c in value
    )


def _percent(value: float) -> str:
    """A fraction as whole percent.

    >>> _percent(0.376)
    '38 %'
    """
    return f"{100 * value:.0f} %"
