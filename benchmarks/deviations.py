"""What each deviation from a paper does to a ranking: measured with it and without it.

    python benchmarks/deviations.py SHARED/movielens-100k-posters --work DIR

Every backbone's docstring says where it deviates from its paper. Here each deviation that can
change a ranking is turned back: by an option where there is one, else by replacing a few names in
the backbone's module, or numbers in the model before it trains (`PLAN`, at the end of the tables
below). One setting a backbone, the same with and without; films with posters, vanilla features,
random and cold-item split, three seeds. What is done already in DIR is reused;
`results/deviations.md` is written from what is there.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cliper.backbones import Backbone, backbone_entry, create_backbone
from cliper.backbones.base import feature_tables
from cliper.data import Dataset, Split, item_fields
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.dense import Linear
from cliper.experiments.statistics.significance import paired_test
from cliper.files import atomic_path, write_text
from cliper.losses import shared_norm
from cliper.ranking import evaluate
from cliper.representation.features import ItemFeatures
from cliper.representation.represent import represent
from cliper.training import Trainer, TrainingConfig

SPLITS = {"random": 20, "cold-item": 12}  # and the epochs that a training has
METRICS = ("recall@20", "ndcg@20")
After = Callable[[Backbone, Trainer], None]


@dataclass(frozen=True)
class Deviation:
    """Something that is not done as in the paper, and how to do it as there.

    Attributes:
        here, there: what is done, in a few words.
        options: the backbone's own.
        names: what stands for these names in the backbone's module while it is built and trained.
        module: where these names are, if not in the backbone's own module.
        after: changes the model or its trainer before the first step.
        splits: where it can matter.
    """

    here: str
    there: str
    options: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, Any] = field(default_factory=dict)
    module: str = ""
    after: After | None = None
    splits: tuple[str, ...] = tuple(SPLITS)


# What several backbones share.


def as_given(features: ItemFeatures) -> ItemFeatures:
    return features


def no_item(_: object) -> Tensor:
    return torch.empty(0, dtype=torch.long)


def trained_tables(
    features: ItemFeatures, generator: torch.Generator, *, trainable: bool = False
) -> Any:
    return feature_tables(features, generator, trainable=True)


class Repeating:
    """torch, but `unique` keeps a row as often as it occurs."""

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def unique(self, x: Tensor, *, return_inverse: bool = False) -> Any:
        return (x, torch.arange(len(x))) if return_inverse else x


def from_every_item(model: Backbone, trainer: Trainer) -> None:
    trainer.sampler.pool = np.arange(model.n_items)


def by_popularity(model: Backbone, trainer: Trainer) -> None:
    trainer.sampler.pool = trainer.sampler.positives  # every row's item, so by how often it is


def normal_start(deviation: float) -> After:
    """Tables of users and items, but for rows that start at zero, drawn from N(0, deviation²)."""

    def after(model: Backbone, trainer: Trainer) -> None:
        rows = {model.n_users, model.n_items, model.n_users + model.n_items}
        with torch.no_grad():
            for table in model.parameters():
                if table.dim() == 2 and len(table) in rows:
                    drawn = torch.randn(table.shape, generator=trainer.generator) * deviation
                    table.copy_(drawn * (table != 0))

    return after


def l2_on_maps(model: Any, trainer: Trainer) -> None:
    loss = model.loss
    free = {model.n_users, model.n_items, model.n_users + model.n_items}
    maps = [p for p in model.parameters() if p.dim() == 2 and len(p) not in free]

    def penalised(batch: Any) -> dict[str, Tensor]:
        return {**loss(batch), "maps": model.config.l2 * shared_norm(*maps)}

    model.loss = penalised


SCALE = Deviation("modalities over their mean row norm", "as given", names={"unit_scale": as_given})
COLD = Deviation(
    "cold items' free rows start at zero", "at random", names={"cold_items": no_item},
    module="cliper.backbones.layers", splits=("cold-item",),
)  # fmt: skip
TABLES = Deviation(
    "features fixed", "features trained",
    names={"feature_tables": trained_tables},
    module="cliper.backbones.content",
)  # fmt: skip
REPEATS = Deviation(
    "contrast: a node once a batch", "as often as it is in it", names={"torch": Repeating()}
)
NEGATIVES = Deviation(
    "negatives from warm items", "from all items", after=from_every_item, splits=("cold-item",)
)


# One backbone each.


def two_layers(inputs: int, outputs: int, generator: torch.Generator) -> nn.Module:
    layers = [Linear(inputs, 4 * outputs), Linear(4 * outputs, outputs)]
    for layer in layers:
        for weights in layer.parameters():
            nn.init.uniform_(
                weights, -(layer.in_features**-0.5), layer.in_features**-0.5, generator=generator
            )
    return nn.Sequential(layers[0], nn.LeakyReLU(), layers[1])


def random_tastes(model: Any, trainer: Trainer) -> None:
    nn.init.normal_(model.modality_logits, generator=trainer.generator)


def random_confidences(model: Any, trainer: Trainer) -> None:
    for confidence in (model.user_confidence, model.item_confidence):
        nn.init.normal_(confidence, generator=trainer.generator)


def random_filters(model: Any, trainer: Trainer) -> None:
    for one in model.filters.values():
        nn.init.xavier_uniform_(one.pairs, generator=trainer.generator)


def random_positions(model: Any, trainer: Trainer) -> None:
    nn.init.xavier_uniform_(model.positions, generator=trainer.generator)


def learn_once_an_epoch(model: Any, trainer: Trainer) -> None:
    """LATTICE's learned graph has a gradient in an epoch's first step, and is kept for the rest."""
    start, projected, shares = model.on_epoch_start, model.projected, model.shares
    kept: dict[str, Any] = {}

    def on_epoch_start(generator: torch.Generator) -> None:
        kept.clear()
        start(generator)

    def once(name: str, make: Callable[[], Any]) -> Callable[[], Any]:
        def made() -> Any:
            if not model.training or not torch.is_grad_enabled():
                return make()
            if name in kept:
                return kept[name]
            value = make()
            parts = value.items() if isinstance(value, dict) else None
            kept[name] = {k: v.detach() for k, v in parts} if parts else value.detach()
            return value

        return made

    model.on_epoch_start = on_epoch_start
    model.projected, model.shares = once("projected", projected), once("shares", shares)


def noise_in_rankings(model: Any, trainer: Trainer) -> None:
    represent_rows = model.represent
    model.represent = lambda users, items, *, noisy: represent_rows(users, items, noisy=True)


def added_modalities(model: Any, trainer: Trainer) -> None:
    propagate, isolated, n = model.propagate, model.isolated, len(model.features)
    model.propagate = lambda rows=None: n * propagate(rows)
    model.isolated = lambda items: n * isolated(items)


def dropped_entries(model: Any, trainer: Trainer) -> None:
    """NGCF's published code drops entries of a layer's output, not messages."""
    layers = model.layers

    def with_dropout(*, drop: bool) -> Any:
        if not drop:
            return layers(drop=False)
        return dropped()

    def dropped() -> Any:
        x = model.nodes
        yield x
        for plain, affine in zip(model.plain, model.affine, strict=True):
            neighbours, everything = model.received(x, drop=False)
            x = functional.leaky_relu(plain(everything) + affine(neighbours * x), 0.2)
            kept = torch.rand(x.shape, generator=model.draws) >= 0.1
            x = x * kept / 0.9
            yield x

    model.layers = with_dropout


def xavier_start(model: Any, trainer: Trainer) -> None:
    for table in (model.users, model.items):
        for half in table.data.chunk(2, dim=1):
            nn.init.xavier_uniform_(half, generator=trainer.generator)


def nearest_of_the_history(model: Any, trainer: Trainer) -> None:
    model.weights = model.weights.T.tocsr()


def among_all_items() -> Callable[..., Any]:
    near = import_module("cliper.backbones.itemknn").content_neighbours
    return lambda table, taken, k: near(table, torch.arange(len(table)), k)


# Backbone → its options, options of its training, its deviations. Cheap ones first.
EPOCH = {"learning_rate": 1e-2}
LARGE = {"learning_rate": 1e-2, "batch_size": 4096}  # where a step costs most
PLAN: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Deviation]]] = {
    "itemknn": (
        {"k": 50},
        {},
        {
            "lists": Deviation(
                "the k nearest of the item that is scored", "of the items in the history",
                names={"content_neighbours": among_all_items()}, after=nearest_of_the_history,
            ),
        },
    ),
    "bpr": (
        {"l2": 3e-2},
        EPOCH,
        {
            "start": Deviation("Xavier", "N(0, 0.1)", after=normal_start(0.1)),
        },
    ),
    "lightgcn": (
        {"n_layers": 2, "l2": 1e-2},
        EPOCH,
        {
            "start": Deviation("Xavier", "N(0, 0.1), as the code", after=normal_start(0.1)),
        },
    ),
    "fm": (
        {"l2": 1e-2, "token_l2": 1e-3},
        EPOCH,
        {
            "start": Deviation("Xavier", "N(0, 0.1)", after=normal_start(0.1)),
            "cold": COLD,
            "negatives": NEGATIVES,
        },
    ),
    "deepstyle": (
        {"l2": 1e-2, "content_l2": 1e-3},
        EPOCH,
        {"scale": SCALE, "cold": COLD, "negatives": NEGATIVES},
    ),
    "freedom": (
        {"trainable_features": False, "image_weight": 0.0},
        EPOCH,
        {"cold": COLD, "negatives": NEGATIVES},
    ),
    "neumf": (
        {"n_layers": 2, "l2": 1e-3},
        EPOCH,
        {
            "start": Deviation("N(0, 0.01)", "Xavier, as it was", after=xavier_start),
            "negatives": Deviation("four negatives", "one, as it was", {"negatives": 1}),
        },
    ),
    "ngcf": (
        {"n_layers": 2, "l2": 1e-3},
        EPOCH,
        {
            "dropout": Deviation(
                "whole messages are dropped", "entries of a layer's output", after=dropped_entries
            ),
            "slope": Deviation("LeakyReLU's slope 0.2", "0.01", names={"SLOPE": 0.01}),
        },
    ),
    "vbpr": (
        {},
        EPOCH,
        {
            "scale": SCALE,
            "cold": COLD,
            "negatives": NEGATIVES,
            "factors": Deviation(
                "L2 on the content factors of a triple", "on the maps alone",
                {"content_factor_l2": False},
            ),
        },
    ),
    "bm3": (
        {},
        EPOCH,
        {
            "scale": SCALE,
            "tables": TABLES,
            "predictor": Deviation(
                "content trains its maps alone", "the predictor too", {"shared_predictor": True}
            ),
        },
    ),
    "clcrec": (
        {},
        EPOCH,
        {"scale": SCALE, "hidden": Deviation("hidden width 64", "256", {"hidden": 256})},
    ),
    "sibrar": (
        {},
        EPOCH,
        {
            "scale": Deviation(
                "modalities and R over their mean row norm", "as given",
                names={"unit_scale": as_given, "unit_rows": lambda matrix: matrix.tocsr()},
            ),
        },
    ),
    "dualgnn": (
        {"l2": 1.6e-3, "n_layers": 2},
        EPOCH,
        {
            "scale": SCALE,
            "hidden": Deviation(
                "content's map has one layer", "two, 4d between", names={"_linear": two_layers}
            ),
            "tastes": Deviation("modalities start equal", "N(0, 1)", after=random_tastes),
        },
    ),
    "sasrec": (
        {"n_blocks": 1, "dropout": 0.5},
        EPOCH,
        {
            "scale": Deviation(
                SCALE.here, SCALE.there, names=SCALE.names, module="cliper.backbones.sequential"
            ),
            "cold": COLD,
            "positions": Deviation("places start at zero", "Xavier", after=random_positions),
        },
    ),
    "pda-gnn": (
        {"n_layers": 2},
        EPOCH,
        {
            "start": Deviation("Xavier", "N(0, 0.1)", after=normal_start(0.1)),
            "maps": Deviation("L2 on the batch's rows", "on W and a too", after=l2_on_maps),
        },
    ),
    "llmrec": (
        {},
        EPOCH,
        {
            "cold": COLD,
            "pruned": Deviation(
                "guesses alone are pruned", "what was observed too", {"prune_scope": "all"}
            ),
        },
    ),
    "pgl": (
        {"principal": "global", "embedding_size": 32},
        EPOCH,
        {"scale": SCALE, "tables": TABLES, "repeats": REPEATS},
    ),
    "lattice": (
        {"raw_weight": 0.5},
        EPOCH,
        {
            "cold": COLD,
            "once": Deviation(
                "the graph learns in every step", "once an epoch", after=learn_once_an_epoch
            ),
            "tables": Deviation(TABLES.here, TABLES.there, {"trainable_features": True}),
        },
    ),
    "gru4rec": (
        {"dropout": 0.3, "ranking": "top1"},
        EPOCH,
        {
            "scale": Deviation(
                SCALE.here, SCALE.there, names=SCALE.names, module="cliper.backbones.sequential"
            ),
            "cold": COLD,
            "popular": Deviation(
                "uniform negatives", "by popularity, as a mini-batch's", after=by_popularity
            ),
        },
    ),
    "mmgcn": (
        {"n_layers": 2},
        LARGE,
        {
            "scale": SCALE,
            "cold": COLD,
            "added": Deviation("modalities averaged", "added up", after=added_modalities),
        },
    ),
    "lgmrec": (
        {"global_weight": 0.6},
        LARGE,
        {
            "scale": SCALE,
            "cold": COLD,
            "noise": Deviation(
                "no noise in rankings", "Gumbel noise and dropout", after=noise_in_rankings
            ),
            "tables": TABLES,
        },
    ),
    "mgcn": (
        {"l2": 1e-2},
        LARGE,
        {"scale": SCALE, "cold": COLD, "tables": TABLES, "repeats": REPEATS},
    ),
    "mgat": (
        {"n_layers": 1, "l2": 1e-2, "map_l2": False},
        LARGE,
        {
            "unit": Deviation(
                "first inputs of length 1", "as they are",
                names={"normalize": lambda x, eps: x, "unit_scale": as_given},
            ),
            "cold": COLD,
            "maps": Deviation(
                "L2 on the batch's rows", "on the maps too (the default)", {"map_l2": True}
            ),
        },
    ),
    "mmssl": (
        {},
        LARGE,
        {
            "scale": SCALE,
            "cold": COLD,
            "gumbel": Deviation("Gumbel noise 0.1", "1", {"gumbel_noise": 1.0}),
            "repeats": REPEATS,
            "adversary": Deviation(
                "the discriminator as described", "none (what all its changes can do)",
                {"adversarial_weight": 0.0},
            ),
        },
    ),
    "grcn": (
        {"l2": 1e-1},
        LARGE,
        {
            "scale": SCALE,
            "cold": COLD,
            "confidence": Deviation(
                "confidences start at one", "N(0, 1)", after=random_confidences
            ),
            "maps": Deviation("L2 on the batch's rows", "on the maps too", after=l2_on_maps),
        },
    ),
    "slmrec": (
        {},
        LARGE,
        {
            "scale": SCALE,
            "cold": COLD,
            "weights": Deviation(
                "negatives weighed by how rarely they are drawn", "all alike",
                {"correct_popularity": False},
            ),
            "score": Deviation("a score is the cosine", "the inner product", {"score": "product"}),
        },
    ),
    "smore": (
        {"n_layers": 2},
        LARGE,
        {
            "scale": Deviation(
                "modalities over their root mean square", "as given",
                names={"root_mean_square_scale": as_given},
            ),
            "cold": COLD,
            "filters": Deviation("filters start at one", "Xavier", after=random_filters),
            "tables": TABLES,
            "repeats": REPEATS,
        },
    ),
    "acf": (
        {"l2": 1e-2, "item_content": True},
        {"learning_rate": 1.5e-2, "batch_size": 8192},
        {
            "scale": SCALE,
            "cold": COLD,
            "positive": Deviation(
                "the history without the positive", "with it", {"exclude_positive": False}
            ),
        },
    ),
}  # fmt: skip
ONLY_RANDOM = {"bpr", "lightgcn", "neumf", "ngcf"}  # know nothing of a cold item


@dataclass(frozen=True)
class World:
    """Films, what is known of them, and where results are kept."""

    dataset: Dataset
    features: ItemFeatures
    work: Path

    @cache  # noqa: B019
    def split(self, kind: str, seed: int) -> Split:
        return make_split(self.dataset, kind, seed)  # type: ignore[arg-type]


def train(
    world: World, kind: str, seed: int, name: str, deviation: Deviation | None
) -> dict[str, Any]:
    """One training, with a deviation turned back or (None) as the backbone is: test metrics."""
    split, entry = world.split(kind, seed), backbone_entry(name)
    options, training, _ = PLAN[name]
    options = {**options, **(deviation.options if deviation else {})}
    fields = (
        item_fields(world.dataset.catalogue) if "fields" in entry.backbone.extra_inputs else None
    )
    features = world.features if entry.features != "none" else None
    if name == "itemknn" and kind == "random":
        features = None

    def measure(model: Backbone, part: str) -> Any:
        model.eval()
        test = part == "test"
        with torch.inference_mode():
            return evaluate(
                model.scorer(split.train.joined(split.valid) if test else split.train),
                split.test if test else split.valid,
                train=split.train,
                valid=split.valid if test else None,
                candidates=split.test_candidates if test else split.valid_candidates,
                ks=(20,),
            )

    with ExitStack() as stack:
        if deviation is not None:
            module = deviation.module or f"cliper.backbones.{name.replace('-', '_')}"
            target: ModuleType = import_module(module)
            for key, value in deviation.names.items():
                stack.enter_context(patch.object(target, key, value))
        model = create_backbone(name, split.train, features, options, seed, fields)
        config = TrainingConfig(
            seed=seed, max_epochs=SPLITS[kind], validate_every=2, patience=SPLITS[kind], **training
        )
        trainer = Trainer(model, split.train, config, lambda m: dict(measure(m, "valid").metrics))
        if deviation is not None and deviation.after is not None:
            deviation.after(model, trainer)
        history = trainer.fit()
        found = measure(model, "test")
    return {
        "settings": {"options": options, "training": training, "epochs": SPLITS[kind]},
        "best_epoch": history.best_epoch,
        "users": found.users.tolist(),
        **{m: found.per_user[m].tolist() for m in METRICS},
    }


def place(world: World, kind: str, seed: int, name: str, key: str) -> Path:
    return world.work / "runs" / kind / name / f"{key}-{seed}.json"


def needed(seeds: int) -> list[tuple[str, str, int, str]]:
    """(backbone, split, seed, deviation or `here`) in the order in which they run."""
    wanted = []
    for name, (_, _, deviations) in PLAN.items():
        for kind in SPLITS:
            keys = [k for k, d in deviations.items() if kind in d.splits]
            if keys and not (kind == "cold-item" and name in ONLY_RANDOM):
                wanted += [(name, kind, s, k) for k in ["here", *keys] for s in range(seeds)]
    return sorted(wanted, key=lambda one: one[2])  # the first seed of all shows most


def run_all(world: World, arguments: argparse.Namespace) -> None:
    for name, kind, seed, key in needed(arguments.seeds):
        file = place(world, kind, seed, name, key)
        if (arguments.only and name not in arguments.only) or file.is_file():
            continue
        begun = time.perf_counter()
        try:
            record = train(world, kind, seed, name, None if key == "here" else PLAN[name][2][key])
        except Exception as error:  # the others are worth having all the same
            print(f"{name} {kind} {key} {seed}: {type(error).__name__}: {error}", flush=True)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as part:
            part.write_text(json.dumps(record))
        recall, spent = statistics.mean(record["recall@20"]), time.perf_counter() - begun
        print(
            f"{name} {kind} {key} {seed}: {100 * recall:.2f}, epoch {record['best_epoch']}, "
            f"{spent:.0f} s",
            flush=True,
        )


def read(
    world: World, kind: str, name: str, key: str, seeds: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Records as here and as there, of the seeds that both have."""
    files = [[place(world, kind, seed, name, k) for k in ("here", key)] for seed in range(seeds)]
    both = [pair for pair in files if all(file.is_file() for file in pair)]
    here, there = ([json.loads(pair[i].read_text()) for pair in both] for i in range(2))
    return here, there


def compared(here: list[dict[str, Any]], there: list[dict[str, Any]], metric: str) -> list[str]:
    """Cells: as here, as there, the relative difference and its p-values."""
    sides = [[(np.array(r["users"]), np.array(r[metric])) for r in runs] for runs in (here, there)]
    cells = []
    for side in sides:
        means = [100 * values.mean() for _, values in side]
        spread = f" ± {statistics.stdev(means):.2f}" if len(means) > 1 else ""
        cells.append(f"{statistics.mean(means):.2f}{spread}")
    test = paired_test(*sides)
    cells.append("-" if test.lift is None else f"{100 * test.lift:+.1f} %")
    if metric == "recall@20":
        cells += ["-" if p is None else f"{p:.3f}" for p in (test.p_users, test.p_seeds)]
    return cells


def table(world: World, kind: str, seeds: int) -> tuple[str, list[str]]:
    """Markdown of one split, and what has not been run."""
    lines = [
        "| backbone | here | otherwise | seeds | Recall@20 here | otherwise | here is | p, users "
        "| p, seeds | NDCG@20 here | otherwise | here is |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    missing = []
    pairs = dict.fromkeys((n, k) for n, s, _, k in needed(seeds) if s == kind and k != "here")
    for name, key in sorted(pairs, key=lambda pair: pair[0]):
        here, there = read(world, kind, name, key, seeds)
        if not here:
            missing.append(f"{name} {key}")
            continue
        deviation = PLAN[name][2][key]
        cells = [c for m in METRICS for c in compared(here, there, m)]
        cells = [name, deviation.here, deviation.there, str(len(here)), *cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines), missing


NOT_MEASURED = """\
- Numbers that are the same by algebra: a bias that cancels in a difference of scores (`freedom`,
  `vbpr`, `pgl`), terms without the item (`fm`, `vbpr`, `acf`), scores before σ (`neumf`), rows
  dropped or projected in another order (`mgcn`, `slmrec`, `dualgnn`, `mmgcn`), modalities over
  their mean row norm where each is then of length 1 (`llmrec`), `ease`, `ials` and `turbo-cf` as a
  whole.
- Contrast with the batch's nodes instead of all (`mgcn`, `lgmrec`, `mmssl`, `smore`): a batch of
  2,048 holds nearly all of these 938 users and 970 items, so the two are the same here. On a
  catalogue of 100,000 they are not, and the full sum is a product of every pair in every step.
- The discriminator of `mmssl` (no batch norm, gradient reversal, rows of length 1, few users a
  step): each would need the two optimisers and the M × N rows of the paper. What all of them can
  change at most is the line without a discriminator.
- `gru4rec`: sessions side by side in a mini-batch and an output table of its own need another
  loop of training; Adagrad another search of learning rates. Its sampling by popularity is
  measured.
- `neumf`: pre-training of both parts (a second training); towers whose last layer has the width
  of GMF.
- `mmgcn`: the max aggregation has no sparse product. `lattice`, `bpr`: decays of the learning
  rate and SGD are the trainer's.
- `acf`, `fm`, `deepstyle`: regions of a picture, and items of exactly one category, are not in
  the data."""


def write_table(world: World, arguments: argparse.Namespace) -> None:
    """`results/deviations.md` from what is there."""
    parts = {kind: table(world, kind, arguments.seeds) for kind in SPLITS}
    missing = [f"{kind}: {', '.join(gone)}" for kind, (_, gone) in parts.items() if gone]
    absent = f"\nNot run: {'; '.join(missing)}.\n" if missing else ""
    cold = [
        int((world.split("random", seed).train.item_counts() == 0).sum())
        for seed in range(arguments.seeds)
    ]
    settings = "\n".join(f"- {n}: `{ {**o, **t} }`" for n, (o, t, _) in PLAN.items())
    text = f"""# Deviations from the papers, with and without

Films with posters (rating ≥ 4, 5-core), vanilla features, percent, test split, mean ± deviation of
the seeds (split, negatives and weights follow the seed); {SPLITS["random"]} epochs on the random
split and {SPLITS["cold-item"]} on the cold-item split, the best of them by validation.
"here is" is the relative difference of what this package does to the other way: negative where the
deviation costs. p are those of paired t-tests on Recall@20, over users (each the mean of its seeds)
and over seeds, uncorrected: among so many lines some are below 0.05 by chance. One setting a
backbone, the same for both ways, not searched: the level of a model is in the other tables. Where a
paper says nothing of a start (BPR, FM), N(0, 0.1) is what their libraries do.

## Random split

{parts["random"][0]}

The rules for cold items (their free rows, negatives from warm items) change nothing where every
item has training interactions: items without any here, by seed: {", ".join(map(str, cold))} of
{len(world.dataset.items)}.

## Cold-item split

{parts["cold-item"][0]}
{absent}
## Not measured

{NOT_MEASURED}

## Settings

{settings}

Command: `python benchmarks/deviations.py SHARED/movielens-100k-posters --work DIR`.
{date.today()}, {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}.
"""
    write_text(arguments.out / "deviations.md", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/deviations"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=sorted(PLAN), help="these backbones now")
    parser.add_argument("--table", action="store_true", help="write the table of what is there")
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    source, path = arguments.source, arguments.work / "films"
    if not (path / "dataset.json").is_file():
        prepare_files(
            source / "items.jsonl", source / "interactions.csv", source, path,
            min_rating=4, k_core=5,
        )  # fmt: skip
    dataset = Dataset.load(path)
    world = World(dataset, represent(dataset, kind="vanilla"), arguments.work)
    if not arguments.table:
        run_all(world, arguments)
    write_table(world, arguments)


if __name__ == "__main__":
    main()
