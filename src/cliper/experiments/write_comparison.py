"""A comparison's files: Markdown, CSV and LaTeX beside `compare.json`."""

from pathlib import Path

from cliper.experiments.comparison import Comparison
from cliper.experiments.latex import latex
from cliper.experiments.tables import comparison_rows, csv_text, markdown
from cliper.files import write_text


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Write `compare.md`, `compare.csv` and `compare.tex` into `out`."""
    table = comparison_rows(comparison)
    texts = {
        "compare.md": markdown(table),
        "compare.csv": csv_text(comparison),
        "compare.tex": latex(table),
    }
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts]
