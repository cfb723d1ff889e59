"""What a lookup table loses when only the rows touched are walked: three optimisers, same rows.

    python benchmarks/studies/optimisers.py DATA --work DIR [--seeds 3] [--device cpu]

DATA holds `amazon-baby` and `films-reference`. Each model is trained by Adam on whole tables, by
`torch.optim.SparseAdam` and by this project's `RowAdam` (forced on tables of any size), everything
else alike, to its own early stop; the test part is scored at the best validation epoch. What DIR
holds already is not trained again; `results/optimisers.md` is written from it.
"""

import argparse
import itertools
import json
import platform
import statistics
import time
from datetime import date
from pathlib import Path
from typing import Any

import torch

from cliper.backbones import Backbone, create_backbone
from cliper.data import Dataset, Split, prepare_mmrec
from cliper.data.prepare import prepare_files
from cliper.data.splits import make_split
from cliper.files import write_text
from cliper.ranking import evaluate
from cliper.representation.represent import represent
from cliper.training import Trainer, TrainingConfig, optimizer

OPTIMISERS = ("Adam", "SparseAdam", "RowAdam")
CASES = {
    "films": ("bpr", "vbpr", "neumf", "acf", "clcrec"),
    "baby": ("bpr", "neumf"),
}
RESULT = Path(__file__).parents[2] / "results" / "optimisers.md"


def load(data: Path, work: Path, name: str) -> Dataset:
    """The prepared dataset, made once."""
    out = work / "datasets" / name
    if not out.is_dir():
        out.parent.mkdir(parents=True, exist_ok=True)
        if name == "films":
            prepare_mmrec(data / "films-reference", out)
        else:
            prepare_files(None, data / "amazon-baby" / "interactions.csv.gz", None, out)
    return Dataset.load(out)


def measure(model: Backbone, split: Split, part: str) -> dict[str, float]:
    model.eval()
    valid = split.valid if part == "test" else None
    with torch.inference_mode():
        found = evaluate(
            model.scorer(), getattr(split, part), train=split.train, valid=valid, ks=(20,)
        )
    return dict(found.metrics)


def train(dataset: Dataset, name: str, kind: str, seed: int, device: str) -> dict[str, Any]:
    given = "features" in dataset.about
    split = make_split(dataset, "given" if given else "random", seed)
    features = represent(dataset, kind="vanilla") if name in ("vbpr", "acf", "clcrec") else None
    model = create_backbone(name, split.train, features, {}, seed)
    config = TrainingConfig(seed=seed, max_epochs=400, validate_every=2, patience=5, device=device)
    optimizer.FROM = 10**9 if kind == "Adam" else 0
    trainer = Trainer(model, split.train, config, lambda m: measure(m, split, "valid"))
    assert trainer.optimizer is not None
    if kind == "SparseAdam":
        sizes = (model.n_users, model.n_items)
        tables = [p for p in trainer.optimizer.large if len(p) in sizes]
        trainer.optimizer.rows = torch.optim.SparseAdam(tables, config.learning_rate)  # type: ignore[assignment]
    begun = time.perf_counter()
    history = trainer.fit()
    return {
        "epochs": history.best_epoch,
        "valid": history.best,
        "test": measure(model, split, "test"),
        "seconds": time.perf_counter() - begun,
    }


def table(work: Path) -> str:
    lines = [
        "| data | model | optimiser | seeds | valid Recall@20 | of Adam's | test Recall@20 |"
        " of Adam's | best epoch |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for data, names in CASES.items():
        for name in names:
            adam: tuple[float, float] | None = None
            for kind in OPTIMISERS:
                files = sorted(work.glob(f"{data}-{name}-{kind}-*.json"))
                runs = [json.loads(f.read_text()) for f in files]
                if not runs:
                    continue
                means = [
                    statistics.mean(r[p]["recall@20"] for r in runs) for p in ("valid", "test")
                ]
                if kind == "Adam":
                    adam = (means[0], means[1])
                of = [f"{m / a:.3f}" for m, a in zip(means, adam or (1, 1), strict=True)]
                epochs = "/".join(str(r["epochs"]) for r in runs)
                lines.append(
                    f"| {data} | {name} | {kind} | {len(runs)} | {means[0]:.4f} | {of[0]} |"
                    f" {means[1]:.4f} | {of[1]} | {epochs} |"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="data-model, e.g. films-bpr")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    pairs = [(data, name) for data, names in CASES.items() for name in names]
    for seed, (data, name), kind in itertools.product(range(arguments.seeds), pairs, OPTIMISERS):
        file = arguments.work / f"{data}-{name}-{kind}-{seed}.json"
        if file.exists() or (arguments.only and f"{data}-{name}" not in arguments.only):
            continue
        result = train(
            load(arguments.data, arguments.work, data), name, kind, seed, arguments.device
        )
        write_text(file, json.dumps(result))
        print(file.stem, result, flush=True)
    head = (
        "# Rows touched against whole tables\n\n"
        "Mean over seeds of the best validation and its test, defaults but for `validate_every` 2; "
        "batch 2,048, learning rate 1e-3, width 64. Adam: all tables whole. SparseAdam: PyTorch's. "
        "RowAdam: Adam without momentum, by rows, as large tables are trained; forced on small "
        f"ones here. {date.today()}, {platform.machine()}, torch {torch.__version__}. Command: "
        "`python benchmarks/studies/optimisers.py DATA --work DIR`.\n\n"
    )
    write_text(RESULT, head + table(arguments.work) + "\n")


if __name__ == "__main__":
    main()
