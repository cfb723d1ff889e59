"""What goes to stdout: tables for people, one JSON value for programs."""

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

import click

from cliper.errors import CliperError
from cliper.escape import in_json, lines, one_line

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print exactly one JSON value on stdout."
)


def say(text: str = "", *, err: bool = False) -> None:
    """Print text; control characters, which may come from anybody's data, as their names."""
    click.echo(lines(text), err=err)


def print_json(value: Any) -> None:
    """Print one JSON value; what JSON cannot say is an error and not a `NaN`."""
    try:
        plain = (sys.stdout.encoding or "utf-8").lower().replace("-", "") != "utf8"
        text = json.dumps(value, ensure_ascii=plain, allow_nan=False, indent=2)
    except ValueError as error:
        raise CliperError(f"the result holds a number that JSON cannot say: {error}") from None
    click.echo(in_json(text))


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    right: Sequence[int] = (),
    bold: Sequence[tuple[int, int]] = (),
    second: Sequence[tuple[int, int]] = (),
) -> None:
    """Print a table: ruled on a terminal, aligned text elsewhere.

    Args:
        columns: headers.
        rows: cells as text.
        title: a line above.
        right: columns that are aligned to the right (numbers).
        bold: (row, column) of cells that stand out; marked by `*` in plain text.
        second: of cells that come second; marked by `+` in plain text.
    """
    columns, *rows = ([one_line(cell) for cell in row] for row in (columns, *rows))
    if sys.stdout.isatty():
        _rich(columns, rows, title, right, bold, second)
        return
    say(plain_table(columns, rows, title=title, right=right, bold=bold, second=second))


def plain_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str = "",
    right: Sequence[int] = (),
    bold: Sequence[tuple[int, int]] = (),
    second: Sequence[tuple[int, int]] = (),
) -> str:
    """A table as aligned text, two blanks between columns.

    >>> print(plain_table(["a", "n"], [["x", "1"], ["yy", "10"]], right=[1]))
    a    n
    x    1
    yy  10
    """
    signs = {**dict.fromkeys(second, "+"), **dict.fromkeys(bold, "*")}
    marked = [
        [f"{cell}{signs.get((r, c), '')}" for c, cell in enumerate(row)]
        for r, row in enumerate(rows)
    ]
    widths = [max(len(row[c]) for row in [list(columns), *marked]) for c in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if c in right else cell.ljust(width)
            for c, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    head = [title] if title else []
    return "\n".join([*head, line(columns), *(line(row) for row in marked)])


def print_facts(facts: Sequence[tuple[str, Any]], *, title: str = "") -> None:
    """Print names and values, one a line; values of None are left out."""
    rows = [(name, _text(value)) for name, value in facts if value is not None]
    width = max((len(name) for name, _ in rows), default=0)
    if title:
        say(title)
    for name, value in rows:
        say(f"{name.ljust(width)}  {one_line(value)}")


def percent(value: float) -> str:
    """A fraction as percent with two decimals.

    >>> percent(0.12345)
    '12.35'
    """
    return f"{100 * value:.2f}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if math.isfinite(value) else "-"
    return str(value)


def _rich(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str,
    right: Sequence[int],
    bold: Sequence[tuple[int, int]],
    second: Sequence[tuple[int, int]],
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=lines(title) or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for c, name in enumerate(columns):
        table.add_column(name, justify="right" if c in right else "left")
    for r, row in enumerate(rows):
        styles = {**dict.fromkeys(second, "underline"), **dict.fromkeys(bold, "bold")}
        cells = (Text(cell, style=styles.get((r, c), "")) for c, cell in enumerate(row))
        table.add_row(*cells)
    Console().print(table)
