"""Every fusion × {closed form, VBPR, FREEDOM}, cold and warm, on films and on a generated shop.

    python benchmarks/studies/representations.py SHARED/movielens-100k-posters --work DIR

Films: rating ≥ 4, 5-core. The shop is the demo's, with more items and users and as few purchases a
user as Amazon's categories have (5 and more, 8 on average), 5-core. Cold: folds of repeated
cold-item cross-validation. Warm: seeds of the random split. Recall@20 of the test; differences from
concatenation with 95 % intervals of the corrected resampled t-test (Nadeau and Bengio, 2003). No
setting was chosen on these numbers: VBPR's and FREEDOM's are the same for all fusions.

The closed form: user factors from a rank-64 SVD of the training matrix, item factors by ridge
regression (penalty 10) from content at length 1: the fused text, and text and picture joined where
the picture is one of the views. What is in DIR is reused; `--only` does a part, `--table` writes
results/representations.md of what there is.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from cliper.backbones import create_backbone
from cliper.data import Dataset, ItemFields, Split, item_fields
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.data.splits.kinds import OVERLAP
from cliper.demo.shop import generate_shop
from cliper.experiments.run.function import fit
from cliper.experiments.statistics.significance import Spread
from cliper.files import write_text
from cliper.ranking import evaluate
from cliper.representation import ItemFeatures, learn_weights
from cliper.representation.from_encodings import as_tensor, cliper_features
from cliper.representation.learned import DoubleArray, item_factors
from cliper.representation.represent import encodings_of, represent
from cliper.representation.settings import RepresentationSettings
from cliper.representation.similarity import unit
from cliper.scoring import FactorScorer, Scorer

DATA = {"films": "films with posters", "shop": "generated shop"}
FUSIONS = {
    "vanilla": "whole text, unimodal",
    "attention": "similarity weights, τ 0.1 (the paper's)",
    "uniform": "uniform weights (τ = ∞)",
    "random": "random weights",
    "sum": "sum",
    "mlp": "MLP, trained with the backbone",
    "concat": "concatenation",
    "joined": "concatenation, the picture too",
    "learned": "learned weights",
    "marec": "MARec",
}
MODELS = {
    "closed": "closed form", "content-als": "content-als", "vbpr": "VBPR", "freedom": "FREEDOM",
}  # fmt: skip
WITHOUT = {
    "closed": {"mlp"},
    "content-als": {"joined", "mlp", "marec"},
    "vbpr": {"marec"},
    "freedom": {"joined", "marec"},
}
TRAINING = {"learning_rate": 5e-3, "max_epochs": 24, "patience": 4, "validate_every": 2}
OPTIONS = {
    ("vbpr", "cold"): {"id_dropout": 0.9, "content_l2": 1e-3},
    ("vbpr", "warm"): {"content_l2": 1e-3},
    ("freedom", "cold"): {"trainable_features": False},
    ("freedom", "warm"): {"trainable_features": False},
}
ALIGN, SHRINK, RIDGES = 100.0, 20.0, (1e2, 1e3, 1e4, 1e5)
"""MARec's β and δ as published; its penalties, of which validation chooses."""
OVERLAPS = {"cold": OVERLAP, "reference": OVERLAP, "warm": 0.1 / 0.8}
WAYS = {
    "cold": "cold items, {} folds",
    "reference": "cold items, {} splits of the reference",
    "warm": "warm items, {} seeds",
}


def films(source: Path, path: Path) -> Dataset:
    if not (path / "dataset.json").is_file():
        prepare_files(
            source / "items.jsonl", source / "interactions.csv", source, path,
            min_rating=4, k_core=5,
        )  # fmt: skip
    return Dataset.load(path)


def shop(raw: Path, path: Path) -> Dataset:
    """The demo's world, thinned to 5 + geometric purchases a user."""
    if not (path / "dataset.json").is_file():
        generate_shop(raw, 1200, 3000, seed=1)
        with (raw / "interactions.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        by_user: dict[str, list[dict[str, str]]] = {}
        for row in rows:
            by_user.setdefault(row["user_id"], []).append(row)
        g = np.random.default_rng(1)
        with (raw / "thin.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]))
            writer.writeheader()
            for own in by_user.values():
                count = min(len(own), int(4 + g.geometric(0.25)))
                chosen = np.sort(g.choice(len(own), count, replace=False))
                writer.writerows(own[at] for at in chosen)
        prepare_files(
            raw / "items.jsonl", raw / "thin.csv", raw, path, k_core=5, name="Generated shop"
        )
    return Dataset.load(path)


class Content:
    """The features of a dataset by fusion; only `learned` depends on the split."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.encodings = encodings_of(dataset, RepresentationSettings())
        self.fields = item_fields(dataset.catalogue)
        self.fixed: dict[str, ItemFeatures] = {}
        self.weights: dict[str, dict[str, float]] = {}

    def of(self, fusion: str, split: Split, key: str) -> ItemFeatures:
        """The features; `key` names the split."""
        if fusion == "learned":
            if key not in self.weights:
                self.weights[key] = learn_weights(self.encodings, split.train, split.seed).weights
            return cliper_features(self.encodings, "learned", weights=self.weights[key])
        if fusion not in self.fixed:
            self.fixed[fusion] = self._fixed(fusion)
        return self.fixed[fusion]

    def _fixed(self, fusion: str) -> ItemFeatures:
        if fusion == "vanilla":
            return represent(self.dataset, kind="vanilla")
        if fusion == "uniform":
            return cliper_features(self.encodings, "attention", float("inf"))
        if fusion == "joined":
            names = (*self.encodings.views, "image")
            return cliper_features(self.encodings, "learned", weights=dict.fromkeys(names, 1.0))
        if fusion == "random":
            return self._random()
        return cliper_features(self.encodings, fusion)

    def _random(self) -> ItemFeatures:
        """Weights drawn evenly from the simplex for every item, in place of similarities."""
        e, g = self.encodings, torch.Generator().manual_seed(0)
        present = as_tensor(e.text_present).T
        drawn = -torch.rand(present.shape, generator=g).log() * present
        shares = drawn / drawn.sum(1, keepdim=True).clamp_min(1e-12)
        text = torch.einsum("nc,cnd->nd", shares, unit(as_tensor(e.text)))
        sums = cliper_features(e, "sum")
        return ItemFeatures(e.items_hash, {"image": sums.tables["image"], "text": text})


def closed_form(fusion: str, features: ItemFeatures, split: Split) -> float:
    tables = features.tables
    both = fusion in ("learned", "joined")
    content = torch.cat([tables["text"], tables["image"]], 1) if both else tables["text"]
    x = unit(content.double()).numpy()
    matrix = split.train.matrix().astype(np.float64)
    warm = np.flatnonzero(split.train.item_counts())
    factors = item_factors(matrix[:, warm])  # s ∘ v
    lengths = np.linalg.norm(factors, axis=0)
    users = matrix[:, warm] @ (factors / lengths)  # U S
    gram = x[warm] @ x[warm].T + 10.0 * np.eye(len(warm))
    items = x @ (x[warm].T @ np.linalg.solve(gram, factors / lengths))
    scorer = FactorScorer(torch.from_numpy(users).float(), torch.from_numpy(items).float())
    return float(
        evaluate(
            scorer, split.test, train=split.taken, valid=split.valid,
            candidates=split.test_candidates, ks=[20],
        ).metrics["recall@20"]
    )  # fmt: skip


def similarities(content: Content) -> Iterator[DoubleArray]:
    """Cosines (N, N) of every view's and the picture's rows, and of each field's tokens, diagonal
    0; those of tokens shrunk where few are shared (`SHRINK`)."""
    e = content.encodings
    for rows in (*e.text, e.image):
        x = unit(as_tensor(rows).double()).numpy()
        yield _without_self(np.maximum(x @ x.T, 0))
    for field in content.fields.names:
        own = np.array([name == field for name, _ in content.fields.tokens])
        x = content.fields.matrix[:, own].astype(np.float64)
        shared, lengths = (x @ x.T).toarray(), np.sqrt(x.multiply(x).sum(1)).A1
        yield _without_self(shared / (np.outer(lengths, lengths) + SHRINK))


def _without_self(table: DoubleArray) -> DoubleArray:
    np.fill_diagonal(table, 0)
    return table


def marec(content: Content, split: Split, ridge: float) -> Scorer:
    """MARec (Monteil et al., arXiv 2404.13298) around EASE, as read here.

    Weights of the similarities by regression of X on the X G_k, taken pairs counting five times;
    X̃ their sum. Then EASE whose column j shall also give X̃_j, by a weight that falls from
    `ALIGN` for an item without a taker to 0 at the tenth percentile of popularity.
    """
    x = split.train.matrix().astype(np.float64).toarray()
    n = x.shape[1]
    warm = np.flatnonzero(split.train.item_counts())
    parts = [x @ g for g in similarities(content)]
    counted = np.where(x[:, warm] > 0, 1.0, 0.2).ravel()
    a = np.stack([part[:, warm].ravel() for part in parts])
    weights = np.linalg.lstsq((a * counted) @ a.T, (a * counted) @ x[:, warm].ravel(), rcond=None)
    aligned = np.einsum("k,kun->un", weights[0], np.stack(parts))
    taken = x.sum(0)
    level = max(np.percentile(taken[warm], 10), 1.0)
    pull = ALIGN * np.clip(1 - taken / level, 0, None)
    gram, right = x.T @ x, x.T @ (x + pull * aligned)
    values, vectors = np.linalg.eigh(gram)
    found = np.empty((n, n))
    for strength in np.unique(pull):
        columns = np.flatnonzero(pull == strength)
        inverse = (vectors / ((1 + strength) * values.clip(min=0) + ridge)) @ vectors.T
        b = inverse @ right[:, columns]
        own = b[columns, np.arange(len(columns))] / inverse[columns, columns]
        found[:, columns] = b - inverse[:, columns] * own  # no item speaks for itself
    scores = torch.from_numpy(x @ found).float()
    return FactorScorer(scores, torch.eye(n))


def marec_recall(content: Content, split: Split) -> float:
    """Recall@20 of the test with the penalty that is best for the validation items."""

    def recall(ridge: float, part: str) -> float:
        candidates = split.valid_candidates if part == "valid" else split.test_candidates
        return float(
            evaluate(
                scorers[ridge], getattr(split, part), train=split.taken,
                valid=None if part == "valid" else split.valid, candidates=candidates, ks=[20],
            ).metrics["recall@20"]
        )  # fmt: skip

    scorers = {ridge: marec(content, split, ridge) for ridge in RIDGES}
    best = max(RIDGES, key=lambda ridge: recall(ridge, "valid"))
    return recall(best, "test")


def content_als(fields: ItemFields, features: ItemFeatures, split: Split) -> float:
    """The backbone with its defaults; nothing of it is trained."""
    model = create_backbone("content-als", split.train, features, fields=fields)
    return float(
        evaluate(
            model.scorer(), split.test, train=split.taken, valid=split.valid,
            candidates=split.test_candidates, ks=[20],
        ).metrics["recall@20"]
    )  # fmt: skip


def reference_split(dataset: Dataset, source: Path, seed: int) -> Split:
    """As `cold_reference.ColdItems` draws it, in the order of the items' file."""
    lines = (source / "items.jsonl").read_text(encoding="utf-8").splitlines()
    place = {name: at for at, name in enumerate(dataset.items.ids())}
    names = [name for line in lines if (name := json.loads(line)["item_id"]) in place]
    order = np.array([place[name] for name in names])
    order = order[np.random.default_rng(seed).permutation(len(order))]
    n_test, n_valid = round(0.2 * len(order)), round(0.1 * len(order))
    parts = np.split(order, [n_test, n_test + n_valid])
    log = dataset.interactions
    test, valid, train = (log.select(np.isin(log.item_index, part)) for part in parts)
    candidates = np.sort(parts[1]), np.sort(parts[0])
    return Split("cold-item", seed, train, valid, test, *candidates)


def measure(
    model: str, fusion: str, content: Content, way: str, number: int, work: Path, source: Path
) -> float:
    seed, fold = divmod(number, 5) if way == "cold" else (number, 0)
    kind = "random" if way == "warm" else "cold-item"
    if way == "reference":
        split = reference_split(content.dataset, source, seed)
    else:
        split = make_split(content.dataset, kind, seed, fold)  # type: ignore[arg-type]
    if fusion == "marec":
        return marec_recall(content, split)
    features = content.of(fusion, split, f"{way} {seed} {fold}")
    if model == "closed":
        return closed_form(fusion, features, split)
    if model == "content-als":
        return content_als(content.fields, features, split)
    run = fit(
        content.dataset, model, features, number, work, split=kind,
        options=OPTIONS[model, way], training=TRAINING,
        settings={"split": {"seed": seed, "fold": fold}}, resume=True,
    )  # fmt: skip
    return float(run.results.test["recall@20"])


def table(values: dict[str, float], source: dict[str, Dataset]) -> str:
    lines = []
    for model, model_name in MODELS.items():
        for data, data_name in DATA.items():
            for way, way_name in WAYS.items():
                rows = _rows(values, model, data, way)
                if not rows:
                    continue
                told = way_name.format(len(rows["concat"]))
                lines += [
                    f"## {model_name}, {data_name}, {told}\n",
                    "| fusion | Recall@20 | less concatenation | 95 % interval |",
                    "|---|---|---|---|",
                ]
                for fusion, found in rows.items():
                    d = found - rows["concat"]
                    spread = Spread.of(d, OVERLAPS[way])
                    about = f"{100 * d.mean():+.2f} | ± {100 * spread.half:.2f}"
                    lines.append(
                        f"| {FUSIONS[fusion]} | {100 * found.mean():.2f} | "
                        f"{'- | -' if fusion == 'concat' else about} |"
                    )
                lines.append("")
    sizes = "; ".join(
        f"{DATA[name]}: {len(d.users):,} users, {len(d.items):,} items, "
        f"{len(d.interactions):,} interactions"
        for name, d in source.items()
    )
    return f"{sizes}. Percent.\n\n" + "\n".join(lines)


def _rows(values: dict[str, float], model: str, data: str, way: str) -> dict[str, np.ndarray]:
    """Fusion → its values under the numbers that all have; empty with fewer than two."""
    fusions = [f for f in FUSIONS if f not in WITHOUT[model]]
    found = {
        f: {int(k.rsplit("|", 1)[1]): v for k, v in values.items()
            if k.startswith(f"{model}|{data}|{way}|{f}|")}
        for f in fusions
    }  # fmt: skip
    found = {f: own for f, own in found.items() if len(own) > 1}
    if "concat" not in found or len(found) < 2:
        return {}
    common = sorted(set.intersection(*(set(own) for own in found.values())))
    if len(common) < 2:
        return {}
    return {f: np.array([own[n] for n in common]) for f, own in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", help="model,data,way, e.g. vbpr,films,cold")
    parser.add_argument("--fusions", default=",".join(FUSIONS))
    parser.add_argument("--table", type=Path, help="write the page instead of measuring")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sets = {
        "films": films(given.source, given.work / "films"),
        "shop": shop(given.work / "shop", given.work / "shopds"),
    }
    kept = given.work / "values.json"
    values = json.loads(kept.read_text()) if kept.is_file() else {}
    if given.table:
        page = given.table.read_text().split("<!-- tables -->")[0] if given.table.is_file() else ""
        write_text(given.table, page + "<!-- tables -->\n\n" + table(values, sets))
        return
    contents: dict[str, Content] = {}
    plan = [
        (model, data, way) for model in MODELS for way in WAYS for data in DATA
        if given.only in (None, f"{model},{data},{way}")
        and (way != "reference" or (data == "films" and model in ("closed", "content-als")))
    ]  # fmt: skip
    for model, data, way in plan:
        content = contents.setdefault(data, Content(sets[data]))
        for number in range(given.folds):
            for fusion in given.fusions.split(","):
                key = f"{model}|{data}|{way}|{fusion}|{number}"
                if key in values or fusion in WITHOUT[model]:
                    continue
                run = given.work / "runs" / key.replace("|", "-")
                values[key] = measure(model, fusion, content, way, number, run, given.source)
                print(key, f"{values[key]:.4f}", flush=True)
                values |= json.loads(kept.read_text()) if kept.is_file() else {}
                write_text(kept, json.dumps(values, indent=1))
        print(content.weights, flush=True)


if __name__ == "__main__":
    main()
