"""Tables as text: Markdown, CSV, and how names and numbers are written in them."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cliper.escape import in_csv


@dataclass(frozen=True)
class TextTable:
    """Rows of cells as text: for the terminal, Markdown and LaTeX.

    Attributes:
        columns: headers.
        rows: cells, parallel to `columns`.
        best: (row, column) of each metric's best mean, ties included.
        numeric: columns that hold numbers.
        protocol: one line that says how the numbers came about.
        second: (row, column) of the second best, as `best`.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[tuple[int, int], ...]
    numeric: tuple[int, ...]
    protocol: str
    second: tuple[tuple[int, int], ...] = ()


def markdown(table: TextTable) -> str:
    """The table in Markdown, best values bold, second best in italics, the protocol below."""
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|" + "|".join("---:" if c in table.numeric else "---" for c in range(len(table.columns)))
        + "|",
    ]  # fmt: skip
    for r, row in enumerate(table.rows):
        marks = (
            "**" if (r, c) in table.best else "*" if (r, c) in table.second else ""
            for c in range(len(row))
        )
        cells = (f"{m}{cell}{m}" for m, cell in zip(marks, row, strict=True))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", table.protocol, ""])


def csv_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV, a column for every key; empty where a value does not exist.

    >>> print(csv_text([{"a": 1, "b": None}, {"a": 0.5, "c": "x, y"}]))
    a,b,c
    1,,
    0.5,,"x, y"
    <BLANKLINE>
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(key for record in records for key in record))
    writer = csv.DictWriter(text, columns, lineterminator="\n")  # None is written as nothing
    writer.writeheader()
    for record in records:
        writer.writerow({k: in_csv(v) if isinstance(v, str) else v for k, v in record.items()})
    return text.getvalue()


def metric_name(key: str) -> str:
    """The published spelling of a metric's key.

    >>> metric_name("recall@20"), metric_name("ndcg@10")
    ('Recall@20', 'NDCG@10')
    """
    name, at, k = key.partition("@")
    return f"{'NDCG' if name == 'ndcg' else name.capitalize()}{at}{k}"


def p_text(p: float | None) -> str:
    """A p-value with what a table has room for.

    >>> p_text(0.01234), p_text(0.00001), p_text(None)
    ('0.012', '<0.001', '-')
    """
    if p is None:
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"
