"""When to stop: what each rule finds of the best there is, and the epochs that it takes.

Every backbone is trained on every set without any early stop, and each epoch's validation and
test Recall@20 are kept. The rules are then held against those curves: stopping only decides which
epoch is kept, so one long training answers for all rules.

    python benchmarks/stopping.py --curves DIR [--only shop/freedom] [--write results/stopping.md]

Curves that are in DIR already are not made again. Sets: `shop`, 404 products and about 23,000
orders, popularity first and taste second; `demo`, the demo's shop without its pictures, as many;
`films` (MovieLens-100K with posters) and `baby` (Amazon-Baby), where the data are there.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from cliper.backbones import Backbone, backbone_entry, create_backbone
from cliper.data import Dataset, Interactions, Split, Vocabulary
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.demo.tastes import buy, utilities
from cliper.demo.world import codes, make_products
from cliper.ranking import evaluate
from cliper.representation.features import ItemFeatures
from cliper.training import Trainer, TrainingConfig

Made = tuple[Dataset, ItemFeatures | None]
DATA = Path(os.environ.get("CLIPER_DATA", "../shared/data"))


@dataclass(frozen=True)
class Curve:
    """One training without an early stop: validation and test Recall@20 of each epoch."""

    where: str
    backbone: str
    learning_rate: float
    seed: int
    steps: int
    valid: list[float]
    test: list[float]
    every: int = 1


def popular_shop(items: int = 404, users: int = 1118, groups: int = 20) -> Made:
    """Skewed popularity, and groups of products that users like up to three of."""
    rng = np.random.default_rng(0)
    group = rng.integers(groups, size=items)
    liking = np.zeros((users, groups))
    for row in liking:
        row[rng.choice(groups, 3, replace=False)] = np.log(6) * np.array([1.5, 1.0, 0.6])
    utility = liking[:, group] - np.log(rng.permutation(items) + 3)
    order = np.argsort(-(utility + rng.gumbel(size=utility.shape)), axis=1)  # Gumbel top-k
    counts = rng.integers(8, 33, size=users)
    taken = order[np.arange(items) < counts[:, None]]
    log = Interactions(*names(users, items), np.repeat(np.arange(users), counts), taken)
    return Dataset("shop", log), features(log, {"image": [group], "text": [group]}, 3.0, rng)


def demo_shop(items: int = 404, users: int = 1118) -> Made:
    """Tastes and orders of the demo's shop; what is seen of a product is its attributes."""
    rng = np.random.default_rng(0)
    products = make_products(items, rng)
    bought = buy(utilities(products, users, rng), np.zeros(items, dtype=bool), rng)
    log = Interactions(*names(users, items), bought.user, bought.item)
    seen = {"image": ("category", "colour", "pattern"), "text": ("category", "family", "brand")}
    of = codes(products)
    known = {m: [of[name] for name in attributes] for m, attributes in seen.items()}
    return Dataset("demo", log), features(log, known, 1.0, rng)


def names(users: int, items: int) -> tuple[Vocabulary, Vocabulary]:
    return Vocabulary(f"u{i}" for i in range(users)), Vocabulary(f"i{i}" for i in range(items))


def features(
    log: Interactions, known: dict[str, list[np.ndarray]], blur: float, rng: np.random.Generator
) -> ItemFeatures:
    """Unit rows: a direction for each value of each attribute, plus noise of strength `blur`."""
    tables = {}
    for modality, attributes in known.items():
        parts = []
        for values in attributes:
            direction = rng.standard_normal((values.max() + 1, 64))
            parts.append(direction[values] + blur * rng.standard_normal((log.n_items, 64)))
        rows = np.concatenate(parts, axis=1)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        tables[modality] = torch.from_numpy(rows.astype(np.float32))
    return ItemFeatures(log.items.hash, tables)


def films(folder: Path) -> Made:
    """The films' log and the reference's features."""
    from cliper.data import prepare_mmrec
    from cliper.representation import given_features

    dataset = prepare_mmrec(DATA / "films-reference", folder / "films", "films")
    features = given_features(dataset)
    assert isinstance(features, ItemFeatures)
    return dataset, features


def baby(folder: Path) -> Made:
    """Amazon-Baby's interactions; there are no features."""
    log = DATA / "amazon-baby" / "interactions.csv.gz"
    prepare_files(None, log, None, folder / "baby", name="Amazon-Baby")
    return Dataset.load(folder / "baby"), None


# Set → how it is made, epochs without a stop, epochs between validations.
SETS: dict[str, tuple[Callable[[Path], Made], int, int]] = {
    "shop": (lambda _: popular_shop(), 600, 1),
    "demo": (lambda _: demo_shop(), 400, 1),
    "films": (films, 160, 1),
    "baby": (baby, 100, 2),
}


def record(
    where: str, split: Split, features: ItemFeatures | None, name: str, rate: float, seed: int
) -> Curve:
    """Train to the last epoch and measure each."""
    _, epochs, every = SETS[where]
    use = features if backbone_entry(name).backbone.uses_features else None
    fields = backbone_entry(name).config.model_fields
    fixed = where == "films" and "trainable_features" in fields  # 1,664 wide: slow to train
    options = {"trainable_features": False} if fixed else {}
    backbone = create_backbone(name, split.train, use, options, seed)
    valid: list[float] = []
    test: list[float] = []

    @torch.inference_mode()
    def measure(model: Backbone) -> dict[str, float]:
        model.eval()
        scorer = model.scorer(split.train)
        found = evaluate(scorer, split.valid, train=split.train, ks=[20])
        valid.append(float(found.metrics["recall@20"]))
        found = evaluate(scorer, split.test, train=split.train, valid=split.valid, ks=[20])
        test.append(float(found.metrics["recall@20"]))
        return {"recall@20": valid[-1]}

    config = TrainingConfig(
        learning_rate=rate, max_epochs=epochs, patience=epochs, validate_every=every, seed=seed
    )
    trainer = Trainer(backbone, split.train, config, measure)
    trainer.fit()
    return Curve(where, name, rate, seed, trainer.sampler.batches, valid, test, every)


def record_all(folder: Path, wanted: list[str], seeds: list[int]) -> Iterator[Curve]:
    """Make what is not there: wanted are `set/backbone/rate`."""
    made: dict[str, Made] = {}
    for text in wanted:
        where, name, rate = text.split("/")
        for seed in seeds:
            path = folder / f"{where}-{name}-{rate}-{seed}.json"
            if not path.exists():
                if where not in made:
                    with tempfile.TemporaryDirectory() as room:
                        made[where] = SETS[where][0](Path(room))
                dataset, features = made[where]
                split = make_split(dataset, "random", seed)
                start = time.perf_counter()
                curve = record(where, split, features, name, float(rate), seed)
                path.write_text(json.dumps(vars(curve)))
                best = int(np.argmax(curve.valid))
                print(
                    f"{path.stem}: best {curve.valid[best]:.4f} at {(best + 1) * curve.every}, "
                    f"{time.perf_counter() - start:.0f} s", flush=True,
                )  # fmt: skip
            yield Curve(**json.loads(path.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    given = parser.parse_args()
    given.curves.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    list(record_all(given.curves, given.only, given.seeds))


if __name__ == "__main__":
    main()
