"""The same rows as CSV, JSON Lines or Parquet, for tests that hold for every format."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FORMATS = ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"]
FIRST_ROW = {"csv": 2, "csv.gz": 2, "jsonl": 1, "jsonl.gz": 1, "parquet": 1}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write dictionaries with the same keys in the format that the name says."""
    kind = path.name.split(".")[1]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    if kind == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
    else:
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path
