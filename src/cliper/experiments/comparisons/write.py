"""A comparison's files: Markdown, CSV and LaTeX beside `compare.json`."""

from pathlib import Path

from cliper.experiments.comparisons.comparison import Comparison
from cliper.experiments.comparisons.table import comparison_records, comparison_rows
from cliper.experiments.drawing.latex import latex
from cliper.experiments.drawing.tables import csv_text, markdown
from cliper.files import write_text


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Write `compare.md`, `compare.csv` and `compare.tex` into `out`."""
    table = comparison_rows(comparison)
    texts = {
        "compare.md": markdown(table),
        "compare.csv": csv_text(comparison_records(comparison)),
        "compare.tex": latex(table),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts]
