"""Every backbone against a peer's numbers, on the peer's rows and features.

    python benchmarks/reference.py SHARED/films-reference --work DIR [--only NAME …]

The folder holds films in the layout of the field's usual toolbox, with its split and features, and
`reference.json`: that toolbox's test results at width 64, batch 2,048, learning rate 3e-3, at most
40 epochs, patience 10, training positives masked. Each backbone is trained here on the same rows
the same way. `reference_settings.yaml` lists what is tried; the first seed's validation chooses,
the test part is scored for the choice alone. Results are kept in DIR, what is there is not trained
again; `results/reference.md` is written from what is there.
"""

import argparse
import hashlib
import json
import platform
import statistics
import time
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import yaml

from cliper.backbones import Backbone, backbone_entry, create_backbone
from cliper.data import Dataset, Split, prepare_mmrec
from cliper.data.splits import make_split
from cliper.files import atomic_path, write_text
from cliper.ranking import Evaluation, evaluate
from cliper.representation.features import ItemFeatures
from cliper.representation.represent import represent
from cliper.training import Trainer, TrainingConfig

SETTINGS = Path(__file__).with_name("reference_settings.yaml")
METRICS = ("recall@20", "ndcg@20")
WIDTH = 64
GOAL = 0.98
Options = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The peer's rows and features, and where results are kept."""

    dataset: Dataset
    training: Options
    work: Path

    @cached_property
    def split(self) -> Split:
        return make_split(self.dataset, "given", 0)

    @cached_property
    def features(self) -> ItemFeatures:
        return represent(self.dataset, kind="vanilla")

    def measure(self, model: Backbone, part: str) -> Evaluation:
        """Metrics on `valid` or `test`, training positives masked in both."""
        model.eval()
        split = self.split
        with torch.inference_mode():
            return evaluate(
                model.scorer(),
                getattr(split, part),
                train=split.train,
                candidates=getattr(split, f"{part}_candidates"),
                ks=(20,),
            )

    def train(self, name: str, options: Options, seed: int) -> Options:
        """One training: validation and test metrics of its best epoch."""
        begun = time.perf_counter()
        entry = backbone_entry(name)
        own, training = dict(options), dict(self.training)
        training |= {k: own.pop(k) for k in ("learning_rate",) if k in own}
        if entry.backbone.is_trained and "embedding_size" in entry.config.model_fields:
            own.setdefault("embedding_size", WIDTH)
        features = None if entry.features == "none" else self.features
        model = create_backbone(name, self.split.train, features, own, seed)
        trainer = Trainer(
            model,
            self.split.train,
            TrainingConfig(seed=seed, **training),
            lambda m: dict(self.measure(m, "valid").metrics),
        )
        history = trainer.fit()
        return {
            "valid": {m: history.best[m] for m in METRICS},
            "test": {m: self.measure(model, "test").metrics[m] for m in METRICS},
            "best_epoch": history.best_epoch,
            "epochs": history.epochs_run,
            "seconds": time.perf_counter() - begun,
        }

    def run(self, name: str, options: Options, seed: int, train: bool) -> Options | None:
        """The record of a training; made now if it is not there and `train`, else None."""
        key = json.dumps([options, self.training], sort_keys=True)
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        file = self.work / "runs" / name / f"{digest}-{seed}.json"
        if not file.is_file():
            if not train:
                return None
            record = self.train(name, options, seed)
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(file) as part:
                part.write_text(json.dumps(record))
            print(
                f"{name} {options} seed {seed}: valid {100 * record['valid']['recall@20']:.2f}, "
                f"epoch {record['best_epoch']} of {record['epochs']}, {record['seconds']:.0f} s",
                flush=True,
            )
        found: Options = json.loads(file.read_text())
        return found


@dataclass(frozen=True)
class Result:
    """What was tried of a backbone, what validation chose, and the choice's runs."""

    name: str
    tried: list[tuple[Options, float]]
    options: Options
    runs: list[Options]

    def mean(self, metric: str) -> float:
        return statistics.mean(r["test"][metric] for r in self.runs)

    def cell(self, metric: str) -> str:
        values = [100 * r["test"][metric] for r in self.runs]
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.2f}{spread}"

    @property
    def epochs(self) -> str:
        return ", ".join(f"{r['best_epoch']}/{r['epochs']}" for r in self.runs)


def choose(world: World, name: str, tried: list[Options], seeds: int, train: bool) -> Result | None:
    """Try on the first seed, choose by its validation, then the other seeds; None if not run."""
    scored = []
    for options in tried:
        run = world.run(name, options, 0, train)
        if run is None:
            return None
        scored.append((options, run["valid"]["recall@20"]))
    options = max(scored, key=lambda pair: pair[1])[0]
    runs = [run for seed in range(seeds) if (run := world.run(name, options, seed, train))]
    return Result(name, scored, options, runs) if len(runs) == seeds else None


def against_peer(results: list[Result], peer: dict[str, Options]) -> str:
    lines = [
        "| backbone | Recall@20 there | here | ratio | NDCG@20 there | here | ratio | epochs |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        theirs, cells = peer[result.name]["test"], []
        for metric in METRICS:
            ratio = result.mean(metric) / theirs[metric]
            shown = f"{ratio:.3f}" if ratio >= GOAL else f"**{ratio:.3f}**"
            cells += [f"{100 * theirs[metric]:.2f}", result.cell(metric), shown]
        lines.append(f"| `{result.name}` | {' | '.join(cells)} | {result.epochs} |")
    return "\n".join(lines)


def against_floor(results: list[Result]) -> str:
    floor = next((r.mean("recall@20") for r in results if r.name == "lightgcn"), None)
    lines = [
        "| backbone | Recall@20 | NDCG@20 | of LightGCN's | epochs |",
        "|---|---:|---:|---:|---:|",
    ]
    for result in sorted(results, key=lambda r: -r.mean("recall@20")):
        share = "" if floor is None else f"{result.mean('recall@20') / floor:.3f}"
        cells = [result.cell("recall@20"), result.cell("ndcg@20"), share, result.epochs]
        lines.append(f"| `{result.name}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def settings(results: list[Result]) -> str:
    return "\n".join(
        f"- `{r.name}`: `{r.options}`; tried: "
        + "; ".join(f"`{options}` {100 * valid:.2f}" for options, valid in r.tried)
        for r in results
    )


def write_table(world: World, plan: dict[str, Any], peer: dict[str, Any], out: Path) -> None:
    """`reference.md` from what has been trained."""
    found: dict[str, list[Result]] = {}
    missing: list[str] = []
    for part in ("reference", "others"):
        pairs = [(n, choose(world, n, t, plan["seeds"], False)) for n, t in plan[part].items()]
        found[part] = [r for _, r in pairs if r is not None]
        missing += [n for n, r in pairs if r is None]
    every = [r for results in found.values() for r in results]
    notes = "\n".join(
        f"- `{n}` there: {r['note']}."
        for n, r in peer.items()
        if r["note"] and n in plan["reference"]
    )
    gone = f"\nNot run yet: {', '.join(missing)}.\n" if missing else ""
    text = f"""# Every backbone against a reference, on the same rows

Films (rating ≥ 4, 5-core), one given random split, the peer's own features; width {WIDTH}, and for
all {world.training}. Percent of the
test part, mean ± deviation of {plan["seeds"]} seeds; training positives masked. A ratio below
{GOAL} is bold. Epochs: the best by validation, of those run.

## Models that the reference has

{against_peer(found["reference"], peer)}

{notes}

## Every backbone on these rows

Those that the reference could not run among them, beside LightGCN, the floor of a graph model.

{against_floor([*every])}
{gone}
## Settings

Chosen by the first seed's validation Recall@20 (the number behind each) among what
`benchmarks/reference_settings.yaml` lists; `{{}}` are the backbone's defaults.

{settings(every)}

{plan["notes"]}
Command: `python benchmarks/reference.py SHARED/films-reference --work DIR`.
{date.today()}, {platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}.
"""
    write_text(out / "reference.md", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, default=Path("build/reference"))
    parser.add_argument("--only", nargs="+", help="these backbones now")
    parser.add_argument("--table", action="store_true", help="write the table of what is there")
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = arguments.work / "films"
    if not (path / "dataset.json").is_file():
        prepare_mmrec(arguments.source, path)
    plan = yaml.safe_load(SETTINGS.read_text())
    world = World(Dataset.load(path), plan["training"], arguments.work)
    listed = {**plan["reference"], **plan["others"]}
    for name in [] if arguments.table else arguments.only or listed:
        choose(world, name, listed[name], plan["seeds"], True)
    peer = json.loads((arguments.source / "reference.json").read_text())["results"]
    write_table(world, plan, {r["backbone"]: r for r in peer}, arguments.out)


if __name__ == "__main__":
    main()
