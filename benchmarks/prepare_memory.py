"""Peak memory and time of preparing a large log.

A log of 10 million rows is generated in a temporary folder and prepared in a process of its own,
whose peak resident memory is reported beside the limit of 4 GiB.

    python benchmarks/prepare_memory.py [--rows 10000000] [--kind csv|jsonl|parquet]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

LIMIT_GIB = 4.0


def write_log(path: Path, rows: int, seed: int = 0) -> None:
    """Users, items with a long tail, ratings and times, written in pieces."""
    rng = np.random.default_rng(seed)
    users, items = max(10, rows // 12), max(10, rows // 60)
    schema = pa.schema(
        [
            ("user_id", pa.string()),
            ("item_id", pa.string()),
            ("rating", pa.float64()),
            ("timestamp", pa.int64()),
        ]
    )
    with path.open("wb") as stream:
        writer = None
        if path.suffix == ".csv":
            writer = pa.csv.CSVWriter(stream, schema)
        elif path.suffix == ".parquet":
            writer = pq.ParquetWriter(stream, schema)
        for start in range(0, rows, 1_000_000):
            n = min(1_000_000, rows - start)
            user = (users * rng.random(n) ** 1.5).astype(np.int64)
            item = (items * rng.random(n) ** 2).astype(np.int64)
            columns = {
                "user_id": [f"A{u:014d}" for u in user],
                "item_id": [f"B{i:09d}" for i in item],
                "rating": rng.integers(1, 6, n).astype(float),
                "timestamp": rng.integers(10**9, 2 * 10**9, n),
            }
            if writer is not None:
                writer.write_table(pa.table(columns, schema=schema))
            else:
                lines = (
                    f'{{"user_id": "{u}", "item_id": "{i}", "rating": {r}, "timestamp": {t}}}\n'
                    for u, i, r, t in zip(*columns.values(), strict=True)
                )
                stream.write("".join(lines).encode())
        if writer is not None:
            writer.close()


def prepare(log: Path) -> None:
    from cliper.data import prepare_files, prepare_summary

    start = time.perf_counter()
    dataset = prepare_files(None, log, None, log.parent / "dataset", min_rating=2)
    seconds = time.perf_counter() - start
    for group, what, count in prepare_summary(dataset):
        print(f"{group:>14}  {what:<32} {count:>12,}")
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    verdict = "within" if gib < LIMIT_GIB else "OVER"
    print(f"{seconds:.1f} s, peak {gib:.2f} GiB, {verdict} the limit of {LIMIT_GIB:g} GiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--kind", choices=["csv", "jsonl", "parquet"], default="csv")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.prepare:
        prepare(given.prepare)
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / f"log.{given.kind}"
        write_log(log, given.rows)
        print(f"{given.rows:,} rows, {log.stat().st_size / 2**20:,.0f} MiB of {given.kind}")
        command = [sys.executable, __file__, "--prepare", str(log)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
