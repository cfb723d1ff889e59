"""What graph models lose by fewer steps an epoch, and which learning rate gives it back.

    python benchmarks/studies/large_batches.py DATA --work DIR [--seeds 1] [--device cpu]

DATA holds `amazon-baby` and `films-reference`; a third set is generated (tastes and popularity,
`cliper.testing.warm_world`), of some 500,000 training rows. A rule p multiplies the learning rate
by (batch / small batch)ᵖ. `frozen` keeps the small batch and propagates at every fourth step alone:
between these, the rows that come from neighbours stand still and have no gradient. All else is
alike, to each one's own early stop. What DIR holds is not trained again; `results/large-batches.md`
is written from it.
"""

import argparse
import itertools
import json
import platform
import time
from datetime import date
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from cliper.backbones import Backbone, create_backbone, lightgcn
from cliper.data import Dataset, Interactions, prepare_mmrec
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.experiments.run.split import drawn_users
from cliper.files import write_text
from cliper.graphs import SparseGraph, layer_mean
from cliper.ranking import evaluate
from cliper.representation.represent import represent
from cliper.testing.warm_world import warm_world
from cliper.training import Trainer, TrainingConfig

RATE, BATCH, EVERY = 2e-3, 2048, 120  # steps between validations
RULES = {"sqrt": 0.5, "linear": 1.0, "none": 0.0}
# data → model → steps an epoch that are tried beside the small batch's.
CASES = {
    "films": {"lightgcn": (5,), "freedom": (5,)},
    "baby": {"lightgcn": (16, 8)},
    "generated": {"lightgcn": (64, 16)},
}
OPTIONS: dict[str, Any] = {"lightgcn": {"n_layers": 2, "l2": 1e-3}, "freedom": {}}
RESULT = Path(__file__).parents[2] / "results" / "large-batches.md"


class Frozen:
    """`layer_mean` that propagates at every n-th training step; in between x alone is live."""

    def __init__(self, every: int) -> None:
        self.every, self.step, self.rest = every, 0, torch.empty(0)

    def __call__(
        self, graph: SparseGraph, x: Tensor, n_layers: int, rows: Tensor | None = None
    ) -> Tensor:
        if rows is None:
            return layer_mean(graph, x, n_layers)
        self.step += 1
        if self.step % self.every == 1:
            nodes = layer_mean(graph, x, n_layers)
            self.rest = (nodes - x / (n_layers + 1)).detach()
            return nodes.index_select(0, rows)
        return (self.rest + x / (n_layers + 1)).index_select(0, rows)


def load(data: Path, work: Path, name: str, seed: int) -> tuple[Dataset | None, Interactions, ...]:
    """The dataset (None if it is generated), its training and its validation part."""
    if name == "generated":
        world = warm_world(24_000, 2_000, 40, seed)
        return None, world.train, drawn_users(world.valid, 5_000, 0)
    out = work / "datasets" / name
    if not out.is_dir():
        out.parent.mkdir(parents=True, exist_ok=True)
        if name == "films":
            prepare_mmrec(data / "films-reference", out)
        else:
            prepare_files(None, data / "amazon-baby" / "interactions.csv.gz", None, out)
    dataset = Dataset.load(out)
    split = make_split(dataset, "given" if "features" in dataset.about else "random", seed)
    return dataset, split.train, split.valid


def train(
    loaded: tuple[Any, ...], name: str, steps: int, rule: str, seed: int, device: str
) -> dict[str, Any]:
    dataset, rows, valid = loaded
    features = represent(dataset, kind="vanilla") if name == "freedom" else None
    model = create_backbone(name, rows, features, OPTIONS[name], seed)
    batch = BATCH if not steps else -(-len(rows) // steps)
    steps = -(-len(rows) // batch)
    lightgcn.layer_mean = Frozen(4) if rule == "frozen" else layer_mean  # type: ignore[attr-defined]
    rate = RATE * (batch / BATCH) ** RULES.get(rule, 0)
    config = TrainingConfig(
        batch_size=batch, learning_rate=rate, seed=seed, validate_every=max(1, EVERY // steps),
        patience=4, patience_distance=1.0, device=device,
    )  # fmt: skip

    @torch.inference_mode()
    def validate(model: Backbone) -> dict[str, float]:
        model.eval()
        return dict(evaluate(model.scorer(), valid, train=rows, ks=(20,)).metrics)

    begun = time.process_time()
    history = Trainer(model, rows, config, validate).fit()
    return {
        "valid": history.best["recall@20"],
        "epochs": history.best_epoch,
        "steps": steps,
        "rate": rate,
        "seconds": time.process_time() - begun,
        "epoch": history.median("seconds"),
    }


def arms(data: str, name: str) -> list[tuple[int, str]]:
    """Steps an epoch (0: the small batch's) and the rule."""
    frozen = [(0, "frozen")] if name == "lightgcn" else []
    return [(0, "none"), *frozen, *itertools.product(CASES[data][name], RULES)]


def table(work: Path) -> str:
    lines = [
        "| data | model | steps an epoch | rule | learning rate | seeds | valid Recall@20 |"
        " of the small batch's | best epoch | its steps |",
        "|---|---|---:|---|---:|---:|---:|---:|---|---:|",
    ]
    for data, models in CASES.items():
        for name in models:
            small = 0.0
            for steps, rule in arms(data, name):
                files = sorted(work.glob(f"{data}-{name}-{steps}-{rule}-*.json"))
                if not files:
                    continue
                runs = [json.loads(f.read_text()) for f in files]
                valid = mean(r["valid"] for r in runs)
                small = small or valid
                epochs = "/".join(str(r["epochs"]) for r in runs)
                to_best = mean(r["epochs"] * r["steps"] for r in runs)
                lines.append(
                    f"| {data} | {name} | {runs[0]['steps']} | {rule} | {runs[0]['rate']:.2g} |"
                    f" {len(runs)} | {valid:.4f} | {valid / small:.3f} | {epochs} | {to_best:.0f} |"
                )
    return "\n".join(lines)


def page(work: Path) -> None:
    head = (
        "# Fewer steps an epoch\n\n"
        f"Best validation Recall@20. The small batch has {BATCH:,} rows and learning rate {RATE}; "
        "rules: the rate times (batch / small batch) to the power of ½, 1 and 0. frozen: the small "
        "batch, with a propagation at every fourth step alone. Width 64; LightGCN with two layers "
        f"and l2 1e-3. {date.today()}, {platform.machine()}, torch {torch.__version__}. Command: "
        "`python benchmarks/studies/large_batches.py SHARED --work DIR`.\n\n"
    )
    write_text(RESULT, head + table(work) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", help="data-model, e.g. films-lightgcn")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    for seed in range(arguments.seeds):
        for data, name in ((data, name) for data, models in CASES.items() for name in models):
            if arguments.only and f"{data}-{name}" not in arguments.only:
                continue
            loaded: tuple[Any, ...] = ()
            for steps, rule in arms(data, name):
                file = arguments.work / f"{data}-{name}-{steps}-{rule}-{seed}.json"
                if file.exists():
                    continue
                loaded = loaded or load(arguments.data, arguments.work, data, seed)
                result = train(loaded, name, steps, rule, seed, arguments.device)
                write_text(file, json.dumps(result))
                print(file.stem, result, flush=True)
    page(arguments.work)


if __name__ == "__main__":
    main()
