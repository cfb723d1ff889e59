"""`cliper prepare`: raw files become a dataset directory."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cliper.cli.output import json_option, print_json, print_table
from cliper.cli.state import keeps
from cliper.cli.usage import VerbGroup, verb

if TYPE_CHECKING:
    from cliper.data import Dataset

KEPT = "no dataset was written, an earlier one is as it was; run the same command again"


@click.group("prepare", cls=VerbGroup, planned=("amazon",))
def command() -> None:
    """Turn raw files into a dataset directory."""


@verb("files", group=command)
@click.option("--items", type=click.Path(path_type=Path), help="Catalogue, one row an item.")
@click.option(
    "--interactions", type=click.Path(path_type=Path), required=True, help="user_id, item_id, …"
)
@click.option("--images", type=click.Path(path_type=Path), help="Folder that image paths start at.")
@click.option("--min-rating", type=float, help="Lower ratings are no positives.")
@click.option("--k-core", type=click.IntRange(min=0), default=5, show_default=True)
@click.option(
    "--keep-unbought", is_flag=True, help="Keep catalogue items that never occur in the log."
)
@click.option("--name", help="For people; the directory's name by default.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Dataset directory.")
@json_option
def files(
    items: Path | None,
    interactions: Path,
    images: Path | None,
    min_rating: float | None,
    k_core: int,
    keep_unbought: bool,
    name: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """JSON Lines, CSV (also .gz) or Parquet in; everything dropped is counted by reason.

    \b
    Example:
      cliper prepare files --items items.jsonl --interactions log.csv \\
        --min-rating 4 --k-core 5 --out data/films
    """
    from cliper.data import prepare_files

    keeps(KEPT)
    dataset = prepare_files(
        items, interactions, images, out, min_rating, k_core, keep_unbought, name
    )
    _show(dataset, out, as_json)


@verb("mmrec", group=command)
@click.option("--source", type=click.Path(path_type=Path), required=True, help="The folder.")
@click.option("--name", help="For people; the log's name by default.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Dataset directory.")
@json_option
def mmrec(source: Path, name: str | None, out: Path, as_json: bool) -> None:
    """A folder of the MMRec toolbox: NAME.inter, image_feat.npy, text_feat.npy.

    Its split is kept and is then the default.

    \b
    Example:
      cliper prepare mmrec --source mmrec/baby --out data/baby
    """
    from cliper.data import prepare_mmrec

    keeps(KEPT)
    _show(prepare_mmrec(source, out, name), out, as_json)


def _show(dataset: "Dataset", out: Path, as_json: bool) -> None:
    from cliper.data import prepare_summary

    rows = prepare_summary(dataset)
    if as_json:
        summary = [{"group": g, "what": w, "count": n} for g, w, n in rows]
        print_json({**dataset.about, "path": str(out), "summary": summary})
        return
    cells = [[group, what, f"{count:,}"] for group, what, count in rows]
    print_table(["", "", "count"], cells, title=f"{dataset.name}: {out}", right=[2])
