"""A generated shop from Python: prepare, represent, train, compare with vanilla, recommend.

    python examples/shop.py [FOLDER]

Takes a minute or two; needs nothing but the installation. FOLDER (default: out/shop) keeps the
dataset and the runs.
"""

import sys
from pathlib import Path

import cliper
from cliper.data import prepare_files
from cliper.demo.shop import generate_shop


def main(folder: Path) -> None:
    """Do the whole job in `folder`."""
    raw = folder / "raw"
    generate_shop(raw, items=300, users=400, seed=0)
    dataset = prepare_files(
        raw / "items.jsonl",
        raw / "interactions.csv",
        raw,
        folder / "dataset",
        min_rating=4,
        keep_unbought=True,
    )
    print(f"{len(dataset.users)} users, {len(dataset.items)} items")

    runs = {}
    for name in ("vanilla", "cliper"):
        features = cliper.represent(dataset, kind=name)
        runs[name] = cliper.fit(
            dataset,
            backbone="freedom",
            features=features,
            split="cold-item",
            training={"max_epochs": 30},
            seed=0,
            out=folder / "runs" / name,
            resume=True,  # a second call returns the finished run
        )
        print(f"{name:8} Recall@20 {runs[name].results.test['recall@20']:.4f} among cold items")

    user = dataset.users.ids([0])[0]
    for row in runs["cliper"].recommend([user], k=5):
        print(f"{row.query}  {row.rank}.  {row.item_id}  {row.score:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/shop"))
