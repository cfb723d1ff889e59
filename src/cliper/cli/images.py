"""`cliper images`: fetch the pictures that a dataset names by address."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from cliper import __version__
from cliper.cli.output import json_option, print_json, print_table, say
from cliper.cli.state import keeps
from cliper.cli.usage import verb


@verb("images", many=["--allow-host"])
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--concurrency", type=int, help="Requests at once, over all hosts.  [32]")
@click.option("--per-host", type=int, help="Requests at once, to one host.  [4]")
@click.option("--rate", type=float, help="Requests a second, to one host.  [10]")
@click.option("--retries", type=int, help="Repetitions after a passing failure.  [3]")
@click.option("--timeout", "total_timeout", type=float, help="Seconds for one try.  [60]")
@click.option("--max-bytes", type=int, help="Of one picture.  [20000000]")
@click.option("--retry-failed", is_flag=True, help="Also try what failed for good before.")
@click.option(
    "--allow-host", "allowed_hosts", multiple=True, metavar="HOST",
    help="A host that may be in a private network or on this machine.",
)  # fmt: skip
@click.option("--user-agent", help="Who asks.  [cliper/VERSION]")
@json_option
def command(dataset: Path, as_json: bool, **options: Any) -> None:
    """Fetch the images that the catalogue names by URL; goes on where an earlier run stopped.

    Only public http(s) addresses are asked. Every picture is verified by decoding it. What failed,
    and why, is listed in DATASET/fetched/failures.csv; passing failures are tried again by the next
    run.

    \b
    Example:
      cliper images data/shop --rate 5
    """
    from cliper.data import Dataset
    from cliper.data.fetch import FetchSettings, fetch_images

    given = {name: value for name, value in options.items() if value not in (None, ())}
    given.setdefault("user_agent", f"cliper/{__version__}")
    settings = FetchSettings.parse(given, where="images")
    loaded = Dataset.load(dataset)
    keeps("what was fetched is kept; the same command goes on from there")
    renewed, report = fetch_images(loaded, settings)
    if as_json:
        print_json({"dataset": str(dataset), "hash": renewed.hash, **asdict(report)})
        return
    rows = [
        ("items with an address", report.with_addresses),
        ("had a picture before", report.had_image),
        ("got a picture", report.fetched),
        ("without a picture", report.without_image),
        ("requests", report.requests),
        ("bytes of pictures", report.bytes),
    ]
    rows += [(f"failed: {label}", count) for label, count in report.failures.items()]
    cells = [[what, f"{count:,}"] for what, count in rows]
    print_table(["", "count"], cells, title=f"{loaded.name}: {dataset}", right=[1])
    if report.failures:
        say(f"every failure: {report.failures_file}", err=True)
