"""Preparing a generated Amazon category of 200,000 items in each of the three layouts.

Metadata and a log with every oddity are generated in a temporary folder (`tests/generated`)
and prepared twice in processes of their own, whose time and peak resident memory are held against
the limits: once as by default, once keeping every item that can be kept (no core, unbought items
too), which is the most that can be held. Every row is accounted for, in all and by reason.

    python benchmarks/prepare_amazon.py [--items 200000] [--write results/prepare-amazon.md]
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LIMIT_SECONDS, LIMIT_GIB = 180.0, 2.0
LAYOUTS = {2014: ("Baby", "ratings"), 2018: ("Books", "reviews"), 2023: ("Books", "reviews")}
WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "everything": {"k_core": 0, "keep_unbought": True},
}


def prepare(folder: Path, year: int, way: str) -> None:
    """In a process of its own: prints what it took as JSON."""
    from cliper.data import prepare_amazon

    start = time.perf_counter()
    dataset = prepare_amazon(year, LAYOUTS[year][0], folder, folder / "out", **WAYS[way])
    told = {
        "seconds": time.perf_counter() - start,
        "gib": peak_gib(),
        "about": dict(dataset.about),
    }
    print(json.dumps(told))


def peak_gib() -> float:
    """Peak resident memory of this program alone.

    `ru_maxrss` will not do: on Linux it begins with what the parent held when it started this one.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    raise SystemExit("no VmHWM in /proc/self/status: this benchmark measures memory on Linux")


def accounted(told: dict[str, Any], truth: Any) -> None:
    """Stop if a row is lost, or counted for another reason than the one that was put in."""
    about = told["about"]
    rows, items = about["dropped"]["rows"], about["dropped"]["items"]
    assert about["read"] == {"rows": truth.read_rows, "items": truth.read_items}, about["read"]
    assert truth.read_rows == about["counts"]["interactions"] + sum(rows.values())
    assert truth.read_items == about["counts"]["items"] + sum(items.values())
    reasons = {
        "no user": rows.get("no user_id"),
        "no item": rows.get("no item_id"),
        "no rating": rows.get("rating missing or not a number"),
        "no time": rows.get("timestamp missing or not a time"),
        "unknown item": rows.get("item not in the catalogue"),
        "broken": next(n for what, n in rows.items() if what.startswith("not ")),
    }
    assert reasons == dict(truth.lost_rows), (reasons, truth.lost_rows)
    assert items["no item_id"] == truth.lost_items["no id"]
    assert items["the same item again, its first row stays"] == truth.lost_items["again"]
    broken = next(n for what, n in items.items() if what.startswith("not a"))
    assert broken == truth.lost_items["broken"]
    latin_1 = about["changed"]["items"]["bytes that are not UTF-8 read as Latin-1"]
    assert latin_1 == truth.latin_1


def measure(n_items: int) -> tuple[list[str], bool]:
    """The rows of the table, and whether all are within the limits."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from generated.sources import write_amazon

    lines, good = [], True
    for year, (category, log) in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            start = time.perf_counter()
            truth = write_amazon(
                folder, year, category, n_items=n_items, n_users=n_items, n_rows=8 * n_items,
                log=log, odd=0.02, seed=year,
            )  # fmt: skip
            truth.items.clear()  # only counts are held against the result
            size = sum(path.stat().st_size for path in truth.files) / 2**20
            print(f"{year}: {size:,.0f} MiB generated in {time.perf_counter() - start:.0f} s")
            for way in WAYS:
                command = [sys.executable, __file__, "--prepare", name, str(year), way]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                told = json.loads(done.stdout)
                accounted(told, truth)
                counts = told["about"]["counts"]
                within = told["seconds"] <= LIMIT_SECONDS and told["gib"] <= LIMIT_GIB
                good &= within
                lines.append(
                    f"| {year} | {log} | {way} | {truth.read_items:,} | {truth.read_rows:,} "
                    f"| {size:,.0f} | {counts['items']:,} | {counts['interactions']:,} "
                    f"| {told['seconds']:.1f} | {told['gib']:.2f} | {'yes' if within else 'NO'} |"
                )
                print(lines[-1], flush=True)
    return lines, good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200_000)
    parser.add_argument("--write", type=Path, help="The page of results.")
    parser.add_argument("--prepare", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        prepare(Path(given.prepare[0]), int(given.prepare[1]), given.prepare[2])
        return
    lines, good = measure(given.items)
    verdict = "within" if good else "NOT within"
    print(f"{verdict} {LIMIT_SECONDS:.0f} s and {LIMIT_GIB:g} GiB; every row accounted for")
    if given.write:
        given.write.write_text(page(lines, given.items, verdict))
    sys.exit(not good)


PAGE = """# Preparing Amazon's files

Command: `python benchmarks/prepare_amazon.py --items {items} --write results/prepare-amazon.md`.
Date: {date}. Machine: {machine}. {versions}.

A generated category of {items:,} items in each layout; each oddity that such files are known for
in 2 % of the items or rows. Every row is accounted for, in all and by reason (the script stops
otherwise). All runs are {verdict} the limits of {seconds:.0f} s and {gib:g} GiB. `everything` keeps
all that can be kept: no core, unbought items too.

| release | log | way | rows of items | rows of the log | MiB | items kept | interactions kept | \
seconds | peak GiB | within |
|---|---|---|---|---|---|---|---|---|---|---|
{lines}
"""


def page(lines: list[str], n_items: int, verdict: str) -> str:
    import numpy
    import pyarrow

    return PAGE.format(
        items=n_items,
        date=datetime.date.today(),
        machine=f"{os.cpu_count()} cores, {platform.machine()}",
        versions=f"Python {platform.python_version()}, numpy {numpy.__version__}, "
        f"pyarrow {pyarrow.__version__}",
        verdict=verdict,
        seconds=LIMIT_SECONDS,
        gib=LIMIT_GIB,
        lines="\n".join(lines),
    )


if __name__ == "__main__":
    main()
