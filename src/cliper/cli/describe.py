"""`cliper describe`: a dataset at a glance."""

from pathlib import Path

import click

from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.usage import verb


@verb("describe")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="An HTML page with distributions.")
@click.option("--skip-pictures", is_flag=True, help="Do not look for near-duplicate pictures.")
@json_option
def command(dataset: Path, out: Path | None, skip_pictures: bool, as_json: bool) -> None:
    """Users, items, sparsity; missing fields and pictures; text lengths; near duplicates.

    \b
    Example:
      cliper describe data/films --out films.html
    """
    from cliper.data import Dataset
    from cliper.errors import InputError
    from cliper.experiments.describe import describe, description_rows, write_description

    if out is not None and out.is_dir():
        raise InputError("is a directory", where=str(out), remedy="name a file, e.g. glance.html")
    loaded = Dataset.load(dataset)
    facts = describe(loaded, pictures=not skip_pictures)
    if out is not None:
        write_description(out, facts, loaded, f"cliper describe {dataset} --out {out}")
    if as_json:
        print_json({**facts.json_object(), "page": None if out is None else str(out)})
        return
    print_table(["", "", ""], description_rows(facts), title=f"{facts.name}: {dataset}")
    if out is not None:
        say(f"\nwritten: {out}")
