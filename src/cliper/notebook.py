"""How values show themselves in a notebook: as text, and as HTML without scripts."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cliper.escape import one_line
from cliper.files import write_text


@dataclass(frozen=True, repr=False)
class Shown:
    """Something that a notebook draws and a terminal writes.

    Attributes:
        text: for the terminal.
        html: for the notebook; also what `save` writes.
    """

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: Path | str) -> None:
        """Write the HTML, or the SVG of a figure, whole or not at all."""
        write_text(Path(path), self.html)


def html_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str = "",
    strong: Sequence[tuple[int, int]] = (),
) -> str:
    """A table whose cells are texts of strangers.

    Args:
        columns: headers; none where all are empty.
        rows: cells.
        caption: above it.
        strong: (row, column) of cells in bold.

    >>> html_table(["item"], [["a<b"]])
    '<table><tr><th>item</th></tr><tr><td>a&lt;b</td></tr></table>'
    """
    head = "".join(f"<th>{escaped(name)}</th>" for name in columns)
    parts = [f"<caption>{escaped(caption)}</caption>"] if caption else []
    parts += [f"<tr>{head}</tr>"] if any(columns) else []
    for r, row in enumerate(rows):
        cells = (
            f"<b>{escaped(cell)}</b>" if (r, c) in strong else escaped(cell)
            for c, cell in enumerate(row)
        )
        parts.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{''.join(parts)}</table>"


def escaped(text: str) -> str:
    """A text inside of HTML; control characters by name."""
    return html.escape(one_line(text))
