"""`cliper export`: a run's embeddings and features for other tools."""

from pathlib import Path

import click

from cliper.cli.options import OUT
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "layout", default="parquet", show_default=True, metavar="LAYOUT",
              help="parquet, or mmrec for the MMRec toolbox.")  # fmt: skip
@click.option("--out", type=OUT, required=True, help="A new directory.")
@json_option
def command(run: Path, layout: str, out: Path, as_json: bool) -> None:
    """Write embeddings, ids and fused features.

    \b
    Example:
      cliper export runs/films --format mmrec --out mmrec/films
    """
    from cliper.experiments.run.export import ABOUT, export_run

    keeps("the export is not whole; the same command writes it again")
    earlier = (out / ABOUT).is_file()
    about = export_run(run, out, layout)
    if earlier:
        say(f"note: {out}: replaced an earlier export", err=True)
    if as_json:
        print_json({"out": str(out), **about})
        return
    cells = [[f["name"], _shapes(f["shapes"])] for f in about["files"]]
    print_table(["file", "holds"], cells, title=str(out))


def _shapes(shapes: dict[str, list[int]]) -> str:
    parts = (f"{name} {' × '.join(map(str, shape))}" for name, shape in shapes.items())
    return ", ".join(parts)
