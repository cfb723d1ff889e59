"""A generated shop from Python: prepare, represent, train, recommend what nobody has bought yet.

    python examples/shop.py [FOLDER]

Takes a minute or two; needs nothing but the installation. FOLDER (default: out/shop) keeps the
dataset and the run. One run says little about which features are better; `cliper compare` asks
that with several seeds and a test.
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
    bought = dataset.interactions.item_counts() > 0
    print(f"{len(dataset.users)} users, {len(dataset.items)} items, {(~bought).sum()} never bought")

    features = cliper.represent(dataset, encoder="embedded", fusion="attention", temperature=0.1)
    run = cliper.fit(
        dataset,
        backbone="freedom",
        features=features,
        training={"max_epochs": 30},
        seed=0,
        out=folder / "run",
        resume=True,  # a second call returns the finished run
    )
    print(f"Recall@20 {run.results.test['recall@20']:.4f} after {run.results.epochs_run} epochs")

    user = dataset.users.ids([0])[0]
    ids = dataset.items.ids()
    never_bought = [item for item, was in zip(ids, bought, strict=True) if not was]
    for title, candidates in (("all items", None), ("never bought", never_bought)):
        print(f"for {user}, among {title}:")
        for row in run.recommend([user], k=3, candidates=candidates):
            print(f"  {row.rank}. {row.item_id}  {row.score:.3f}")

    print(f"like {ids[0]}:")
    for row in run.similar_items([ids[0]], k=3):
        print(f"  {row.rank}. {row.item_id}  {row.score:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/shop"))
