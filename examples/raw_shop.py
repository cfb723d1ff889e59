"""A small raw catalogue to try things on: items.csv, log.csv and a folder of pictures.

    python examples/raw_shop.py [FOLDER] [ITEMS]

Generated, the same every time. The log has ratings and times, some items lack a description or a
picture, and some were never bought. `docs/tutorial.md` starts from here.
"""

import csv
import json
import shutil
import sys
from pathlib import Path

from cliper.demo.shop import generate_shop


def main(folder: Path, items: int = 300) -> None:
    """Write the three into `folder`."""
    generate_shop(folder / "made", items=items, users=items * 4 // 3, seed=0)
    made = folder / "made"
    rows = [json.loads(line) for line in (made / "items.jsonl").open(encoding="utf-8")]
    for row in rows:
        row["image"] = row["image"] and Path(row["image"]).name
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (folder / "items.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        for row in rows:
            values = (row.get(column) for column in columns)
            writer.writerow([", ".join(v) if isinstance(v, list) else v for v in values])
    (made / "interactions.csv").replace(folder / "log.csv")
    shutil.rmtree(folder / "pictures", ignore_errors=True)
    (made / "images").replace(folder / "pictures")
    shutil.rmtree(made)
    print(f"{folder}/items.csv, {folder}/log.csv, {folder}/pictures")


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("raw")
    main(target, int(sys.argv[2]) if len(sys.argv) > 2 else 300)
