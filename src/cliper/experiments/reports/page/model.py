"""What a report says, as plain typed data; how it looks is the templates' business."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cliper.experiments.drawing.figures import Curve

# Badges that the report draws in their own way; any other text is a plain badge.
HIT = "bought later"
NEVER_BOUGHT = "never bought"


@dataclass(frozen=True)
class ReportItem:
    """One product as it is shown: its title, its picture (None: a placeholder), its badges."""

    title: str
    image_path: Path | None = None
    badges: tuple[str, ...] = ()


@dataclass(frozen=True)
class UserPanel:
    """One user: what they took, and recommendations side by side, best first, by label."""

    user_id: str
    history: tuple[ReportItem, ...]
    columns: Mapping[str, tuple[ReportItem, ...]]


@dataclass(frozen=True)
class View:
    """One view of one item; text, weight and similarity are None where the field is missing."""

    name: str
    text: str | None
    weight: float | None
    similarity: float | None = None


@dataclass(frozen=True)
class ViewPanel:
    """One item and the weight of each of its views; `note` is a remark under the title."""

    item: ReportItem
    views: tuple[View, ...]
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell: the value, what stands small beside it, chips below it and its place.

    `mark` is `best`, `second` or empty; a chip is a text and a tone: `good`, `bad` or `plain`.
    """

    text: str
    small: str = ""
    chips: tuple[tuple[str, str], ...] = ()
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A table's row: its head, one cell a column; the first of a group stands off."""

    head: str
    cells: tuple[Cell, ...]
    starts_group: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its protocol line: mask, candidates, split, K, seeds."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    corner: str = ""
    caption: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class Graphic:
    """An SVG of `cliper.experiments.drawing` (trusted markup) and a caption (plain text)."""

    svg: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, an introduction and, in the subclasses, something to look at."""

    kind: ClassVar[str] = "text"
    heading: str
    intro: str = ""


@dataclass(frozen=True)
class MethodSection(Section):
    """The drawn diagram of the method; with an example it shows a real item's weights."""

    kind: ClassVar[str] = "method"
    example: ViewPanel | None = None
    backbone: str = "the backbone"


@dataclass(frozen=True)
class DatasetSection(Section):
    """Facts as (label, value), and what was dropped as (reason, count)."""

    kind: ClassVar[str] = "dataset"
    facts: tuple[tuple[str, str], ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class TablesSection(Section):
    """One table or more, then figures."""

    kind: ClassVar[str] = "tables"
    tables: tuple[Table, ...] = ()
    graphics: tuple[Graphic, ...] = ()


@dataclass(frozen=True)
class CurvesSection(Section):
    """Training curves: loss and the validation metric, beside each other."""

    kind: ClassVar[str] = "curves"
    curves: tuple[Curve, ...] = ()


@dataclass(frozen=True)
class UsersSection(Section):
    """Users with their history and their recommendations as pictures."""

    kind: ClassVar[str] = "users"
    panels: tuple[UserPanel, ...] = ()


@dataclass(frozen=True)
class ItemsSection(Section):
    """Items with the weight of each view beside the picture."""

    kind: ClassVar[str] = "items"
    panels: tuple[ViewPanel, ...] = ()


@dataclass(frozen=True)
class PicturesSection(Section):
    """Groups of items as rows of pictures."""

    kind: ClassVar[str] = "pictures"
    groups: tuple[tuple[ReportItem, ...], ...] = ()


@dataclass(frozen=True)
class CommandsSection(Section):
    """The exact commands, and the versions that ran them."""

    kind: ClassVar[str] = "commands"
    commands: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The whole page.

    Attributes:
        title: the heading and the page's title.
        lead: what this is, in about two sentences.
        highlights: the numbers to remember: (value, what it is, remark).
        sections: in the order of reading.
        footer: the last line, e.g. when and by which version.
    """

    title: str
    lead: str
    sections: tuple[Section, ...]
    highlights: tuple[tuple[str, str, str], ...] = ()
    footer: str = ""
