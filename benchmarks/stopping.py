"""When to stop: what each rule finds of the best there is, and the epochs that it takes.

Every backbone is trained on every set without any early stop, and each epoch's validation Recall@20
is kept. The rules are then held against those curves: stopping only decides which epoch is kept, so
one long training answers for all rules.

    python benchmarks/stopping.py --only shop/freedom/1e-3 films/lightgcn/3e-3 --seeds 0 1 \\
        --curves DIR --write results/stopping.md

Curves that are in DIR (build/stopping) already are not made again; the page is of all that are.
Sets: `shop`, 404 products and 23,000 orders, popularity first and taste second; `demo`, the demo's
shop without its pictures, as many; `films` (MovieLens-100K with posters) and `baby` (Amazon-Baby),
where the data are there.
"""

import argparse
import datetime
import json
import os
import tempfile
import time
from collections.abc import Callable
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
    """One training without an early stop: validation Recall@20 every few epochs."""

    where: str
    backbone: str
    learning_rate: float
    seed: int
    steps: int
    valid: list[float]
    every: int


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
    "shop": (lambda _: popular_shop(), 200, 1),
    "demo": (lambda _: demo_shop(), 160, 1),
    "films": (films, 80, 1),
    "baby": (baby, 40, 2),
}


def record(
    where: str, split: Split, features: ItemFeatures | None, name: str, rate: float, seed: int
) -> Curve:
    """Train to the last epoch and validate on the way."""
    _, epochs, every = SETS[where]
    use = features if backbone_entry(name).backbone.uses_features else None
    fields = backbone_entry(name).config.model_fields
    fixed = where == "films" and "trainable_features" in fields  # 1,664 wide: slow to train
    options = {"trainable_features": False} if fixed else {}
    backbone = create_backbone(name, split.train, use, options, seed)
    valid: list[float] = []

    @torch.inference_mode()
    def measure(model: Backbone) -> dict[str, float]:
        model.eval()
        found = evaluate(model.scorer(split.train), split.valid, train=split.train, ks=[20])
        valid.append(float(found.metrics["recall@20"]))
        return {"recall@20": valid[-1]}

    config = TrainingConfig(
        learning_rate=rate,
        max_epochs=epochs,
        patience=epochs,
        patience_distance=0,
        validate_every=every,
        seed=seed,
    )
    trainer = Trainer(backbone, split.train, config, measure)
    trainer.fit()
    return Curve(where, name, rate, seed, trainer.sampler.batches, valid, every)


def record_all(folder: Path, wanted: list[str], seeds: list[int]) -> None:
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


@dataclass(frozen=True)
class State:
    """What a rule may look at after a validation without improvement."""

    since: int  # validations without improvement
    validations: int
    steps_since: int
    steps: int
    learning_rate: float


def distance(state: State) -> float:
    """Learning rate × steps: about as far as Adam can have moved a parameter."""
    return state.steps_since * state.learning_rate


RULES: dict[str, Callable[[State], bool]] = {
    "10": lambda s: s.since >= 10,
    "20": lambda s: s.since >= 20,
    "40": lambda s: s.since >= 40,
    "10, least 1,000 steps": lambda s: s.since >= 10 and s.steps >= 1000,
    "10, half of all": lambda s: s.since >= max(10, s.validations / 2),
    "10, 500 steps": lambda s: s.since >= 10 and s.steps_since >= 500,
    "10, 2,000 steps": lambda s: s.since >= 10 and s.steps_since >= 2000,
    "10, distance 1": lambda s: s.since >= 10 and distance(s) >= 1.0,
    "10, distance 1.5": lambda s: s.since >= 10 and distance(s) >= 1.5,
    "10, distance 2": lambda s: s.since >= 10 and distance(s) >= 2.0,
}
CHOSEN = "10, distance 2"


def stop(curve: Curve, rule: Callable[[State], bool]) -> tuple[int, int]:
    """Validations made and the one kept (from 1), as the trainer counts."""
    best, kept = -1.0, 0
    for n, value in enumerate(curve.valid, 1):
        if value > best:
            best, kept = value, n
            continue
        per = curve.every * curve.steps
        if rule(State(n - kept, n, (n - kept) * per, n * per, curve.learning_rate)):
            return n, kept
    return len(curve.valid), kept


def page(curves: list[Curve]) -> str:
    """The tables: what each rule keeps of the best validation, and its epochs."""
    head = ["training", "steps an epoch", "best at", "of", *RULES]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    kept: dict[str, list[float]] = {name: [] for name in RULES}
    cost: dict[str, list[float]] = {name: [] for name in RULES}
    for c in curves:
        best = int(np.argmax(c.valid))
        cells = [f"{c.where} {c.backbone} {c.learning_rate:g}, seed {c.seed}", str(c.steps)]
        cells += [str((best + 1) * c.every), str(len(c.valid) * c.every)]
        for name, rule in RULES.items():
            made, at = stop(c, rule)
            kept[name].append(100 * c.valid[at - 1] / c.valid[best])
            cost[name].append(made * c.every)
            mark = "**" if kept[name][-1] < 99 else ""
            cells.append(f"{mark}{kept[name][-1]:.1f}{mark} ({made * c.every})")
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| rule | worst | mean | below 99 % | epochs against 10 |",
              "|---|---:|---:|---:|---:|"]  # fmt: skip
    for name in RULES:
        more = np.mean(np.array(cost[name]) / np.array(cost["10"]))
        lines.append(
            f"| {name}{' (chosen)' if name == CHOSEN else ''} | {min(kept[name]):.1f} "
            f"| {np.mean(kept[name]):.2f} | {sum(k < 99 for k in kept[name])} of {len(curves)} "
            f"| {more:.2f} × |"
        )
    sets = ", ".join(sorted({f"{c.backbone} on {c.where}" for c in curves}))
    return PAGE.format(tables="\n".join(lines), date=datetime.date.today(), sets=sets)


PAGE = """# When to stop

Command: `python benchmarks/stopping.py --curves DIR --only … --write results/stopping.md`.
Date: {date}. One thread, torch of `constraints.txt`; curves do not depend on the machine's speed.

Each training was run without an early stop (column `of`: its epochs), and the rules were held
against its curve of validation Recall@20: what the kept epoch has of the best there was, in
percent, and in brackets the epochs that the rule trains. Below 99 % is bold. A rule is the
validations without improvement that it waits for, and what else must be true: so many steps in
all; half of all validations so far; so many steps, or so much learning rate × steps (distance),
without improvement. `shop` is 404 products with
23,000 orders, where popularity is learnt first and taste only after a plateau; `demo` has the
tastes of the demo's shop; `films` the rows and features of the reference (features fixed, to save
time); `baby` Amazon-Baby's interactions.

{tables}

Only the trainings in the table were made: {sets}.

A curve that ends while it still rises is cut there for every rule, so what the short rules lose and
what the long ones cost is at least this much. The distance was chosen on these same curves, with
room above the longest plateau in them (1.26); no other set confirms it yet.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=Path, default=Path("build/stopping"))
    parser.add_argument("--only", nargs="*", default=["shop/bpr/1e-3"], metavar="SET/BACKBONE/RATE")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--write", type=Path, help="The page, of all curves in DIR.")
    given = parser.parse_args()
    given.curves.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    record_all(given.curves, given.only, given.seeds)
    text = page([Curve(**json.loads(p.read_text())) for p in sorted(given.curves.glob("*.json"))])
    if given.write:
        given.write.write_text(text, "utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
