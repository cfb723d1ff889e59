"""Every backbone on films with posters, vanilla against CLIPER, at equal width and equal budget.

    python benchmarks/studies/backbones.py SHARED/movielens-100k-posters --split random --work DIR

Each backbone runs in a process of its own (`--jobs` of them at a time), so that its time and peak
memory are its own. Every variant of a backbone chooses among the same eight configurations on the
first seed's validation split, then runs all seeds. What is done already in DIR is reused; the
table `results/backbones-<split>.md` is written from what is there.
"""

import argparse
import platform
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import torch

from cliper.backbones import backbone_entry, list_backbones
from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import Outcome, analyse, load_comparison
from cliper.experiments.comparisons.variants import plan
from cliper.experiments.drawing.tables import p_text
from cliper.files import write_text

FUSION = "attention"
VIEWS = {
    "include": ["title", "categories", "director", "cast", "description", "global"],
}
TRAINING = {"max_epochs": 30, "patience": 3, "validate_every": 2}
RATES = {"training.learning_rate": [5e-3, 1.5e-2]}

# Eight configurations each: two learning rates times two values of two options, unless it says
# otherwise. The cold-item split may have a grid of its own, where an option is about cold items.
GRIDS: dict[str, dict[str, list]] = {
    # Its attention goes over every edge in every step: larger batches, so fewer steps an epoch.
    "acf": {
        "backbone.l2": [1e-3, 1e-2],
        "backbone.exclude_positive": [True, False],
        "training.batch_size": [8192],
    },
    "bm3": {
        "backbone.n_layers": [1, 2],
        "backbone.l2": [1e-5, 1e-4],
    },
    "bpr": {"backbone.l2": [1e-3, 1e-2, 3e-2, 1e-1]},
    "clcrec": {"backbone.temperature": [0.5, 2.0], "backbone.contrast_weight": [0.1, 0.5]},
    "deepstyle": {"backbone.l2": [1e-2, 1e-1], "backbone.content_l2": [0.0, 1e-3]},
    "dualgnn": {"backbone.l2": [1.6e-4, 1.6e-3], "backbone.n_layers": [1, 2]},
    "ease": {"backbone.ridge": [10, 30, 100, 200, 300, 500, 1000, 2000]},
    "fm": {"backbone.l2": [1e-2, 1e-1], "backbone.token_l2": [1e-4, 1e-3]},
    "freedom": {
        "backbone.neighbours": [10, 20],
        "backbone.image_weight": [0.1, 0.0],
        "backbone.trainable_features": [False],
    },
    "grcn": {"backbone.l2": [1e-3, 1e-1], "backbone.fusion": ["confidence", "mean"]},
    "gru4rec": {"backbone.dropout": [0.0, 0.3], "backbone.ranking": ["bpr", "top1"]},
    "ials": {"backbone.confidence": [1, 5, 20, 40], "backbone.ridge": [1, 30]},
    "itemknn": {"backbone.k": [5, 10, 20, 50, 100, 200, 400, 800]},
    "lattice": {"backbone.raw_weight": [0.5, 0.9], "backbone.n_item_layers": [1, 2]},
    "lgmrec": {"backbone.global_weight": [0.3, 0.6], "backbone.n_hyperedges": [4, 32]},
    "lightgcn": {"backbone.n_layers": [2, 3], "backbone.l2": [1e-4, 1e-2]},
    "llmrec": {"backbone.content_weight": [0.1, 0.5], "backbone.l2": [1e-3, 1e-2]},
    "mgat": {"backbone.l2": [1e-4, 1e-2], "backbone.n_layers": [1, 2]},
    "mgcn": {"backbone.contrast_weight": [1e-3, 1e-2], "backbone.l2": [1e-4, 1e-2]},
    "mmgcn": {"backbone.n_layers": [1, 2], "backbone.l2": [3e-5, 3e-3]},
    "mmssl": {"backbone.content_weight": [0.2, 0.5], "backbone.contrast_weight": [0.03, 0.003]},
    "neumf": {"backbone.n_layers": [2, 3], "backbone.l2": [0.0, 1e-3]},
    "ngcf": {"backbone.n_layers": [1, 2], "backbone.message_dropout": [0.0, 0.1]},
    "pda-gnn": {"backbone.n_layers": [2, 3], "backbone.l2": [1e-2, 3e-2]},
    "pgl": {
        "backbone.principal": ["local", "global"],
        "backbone.contrast_weight": [0.01, 0.1],
        "backbone.embedding_size": [32],  # its users and items are two of these wide
    },
    "popularity": {},
    "sasrec": {"backbone.n_blocks": [1, 2], "backbone.dropout": [0.2, 0.5]},
    "sibrar": {"backbone.contrast_weight": [1e-3, 1e-1], "backbone.users": ["profile", "free"]},
    "slmrec": {"backbone.ssl_weight": [0.01, 0.1], "backbone.temperature": [0.1, 0.2]},
    "smore": {"backbone.contrast_weight": [0.01, 0.1], "backbone.n_layers": [2, 4]},
    "turbo-cf": {"backbone.alpha": [0.4, 0.5], "backbone.power": [0.7, 1.0, 1.3, 1.6]},
    "vbpr": {"backbone.l2": [1e-2, 2e-2], "backbone.modalities": ["all", "text"]},
}
COLD_GRIDS: dict[str, dict[str, list]] = {
    "acf": {
        "backbone.l2": [1e-3, 1e-2],
        "backbone.exclude_positive": [True, False],
        "backbone.item_content": [True],
        "training.batch_size": [8192],
    },
    "clcrec": {"backbone.temperature": [0.5, 2.0], "backbone.content_share": [0.5, 0.9]},
    "dualgnn": {"backbone.l2": [1.6e-4, 1.6e-3], "backbone.neighbours": [10, 40]},
    "lattice": {"backbone.raw_weight": [0.5, 0.9], "backbone.neighbours": [5, 10]},
    "lgmrec": {"backbone.n_modality_layers": [0, 2], "backbone.global_weight": [0.1, 0.3]},
    "llmrec": {"backbone.content_weight": [0.5, 2.0], "backbone.l2": [1e-3, 1e-2]},
    "mgat": {"backbone.l2": [1e-4, 1e-2], "backbone.gate": ["inner_product", "bi_interaction"]},
    "mgcn": {"backbone.neighbours": [10, 30], "backbone.contrast_weight": [1e-2, 1e-1]},
    "mmgcn": {"backbone.n_layers": [1, 2], "backbone.id_dropout": [0.2, 0.5]},
    "pgl": {
        "backbone.image_weight": [0.1, 0.5],
        "backbone.edge_dropout": [0.3, 0.8],
        "backbone.embedding_size": [32],
    },
    "sibrar": {"backbone.contrast_weight": [1e-3, 1e-1], "backbone.l2": [1e-4, 1e-2]},
    "slmrec": {"backbone.ssl_weight": [0.01, 0.1], "backbone.n_layers": [1, 3]},
    "smore": {"backbone.n_item_layers": [1, 2], "backbone.n_layers": [2, 4]},
    "vbpr": {
        "backbone.id_dropout": [0.9],
        "backbone.content_l2": [3e-4, 1e-3],
        "backbone.modalities": ["all", "text"],
    },
}


def grid_of(backbone: str, split: str) -> dict[str, list]:
    """The eight configurations of one backbone on one split."""
    grid = (COLD_GRIDS if split == "cold-item" else {}).get(backbone, GRIDS[backbone])
    rates = RATES if backbone_entry(backbone).backbone.is_trained else {}
    return {**rates, **grid}


def run_one(backbone: str, arguments: argparse.Namespace) -> None:
    """All runs of one backbone, in this process."""
    dataset = Dataset.load(arguments.work / "films")
    kinds = {"none": ["none"], "optional": ["none", "vanilla", "cliper"]}
    features = kinds.get(backbone_entry(backbone).features, ["vanilla", "cliper"])
    base = {"training": TRAINING, "split": {"kind": arguments.split}}
    if features != ["none"]:
        base["views"] = VIEWS
    compare(
        dataset,
        plan([backbone], features, [FUSION]),
        range(arguments.seeds),
        arguments.work / arguments.split / backbone,
        base=base,
        grid=grid_of(backbone, arguments.split),
    )


def run_all(names: list[str], arguments: argparse.Namespace) -> list[str]:
    """One process a backbone; the names of those that failed."""

    def start(name: str) -> tuple[str, int, float]:
        begun = time.perf_counter()
        log = arguments.work / arguments.split / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, str(arguments.source), "--split", arguments.split]
        command += ["--work", str(arguments.work), "--seeds", str(arguments.seeds)]
        command += ["--threads", str(arguments.threads), "--one", name]
        with log.open("w") as stream:
            status = subprocess.run(command, stdout=stream, stderr=stream, check=False).returncode
        return name, status, time.perf_counter() - begun

    failed = []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for name, status, seconds in pool.map(start, names):
            print(f"{name}: {'done' if status == 0 else 'FAILED'}, {seconds:.0f} s", flush=True)
            if status:
                failed.append(name)
    return failed


def table(outcomes: list[Outcome]) -> str:
    """Markdown: one row a variant, mean ± deviation over seeds, lift, significance, cost."""
    whole = analyse(outcomes, "recall@20")
    lines = [
        "| backbone | features | Recall@20 | NDCG@20 | over vanilla | p, users | p, seeds "
        "| epoch s | epochs | MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for outcome in outcomes:
        test = whole.contrasts.get(outcome.variant.name)
        recall, ndcg = (100 * outcome.values(m) for m in ("recall@20", "ndcg@20"))
        records = [run.results for run in outcome.runs]
        epoch = statistics.median(r.seconds.train_epoch_median for r in records)
        lift = "" if test is None else f"{100 * test.lift:+.1f} %"
        p = ["", ""] if test is None else [p_text(test.p_users), p_text(test.p_seeds)]
        lines.append(
            f"| {outcome.variant.backbone} | {features_of(outcome)} "
            f"| {recall.mean():.2f} ± {recall.std(ddof=1):.2f} "
            f"| {ndcg.mean():.2f} ± {ndcg.std(ddof=1):.2f} | {lift} | {p[0]} | {p[1]} "
            f"| {epoch:.2f} | {statistics.mean(r.epochs_run for r in records):.0f} "
            f"| {max(r.peak_memory_mb for r in records):.0f} |"
        )
    return "\n".join(lines)


def features_of(outcome: Outcome) -> str:
    """What a variant knows of the items, e.g. `ids and fields`."""
    has_fields = "fields" in backbone_entry(outcome.variant.backbone).backbone.extra_inputs
    return outcome.variant.label.replace("ids only", "ids and fields" if has_fields else "ids only")


def write_table(arguments: argparse.Namespace) -> None:
    """`results/backbones-<split>.md` from the comparisons that are there."""
    outcomes: list[Outcome] = []
    missing = []
    for entry in list_backbones():
        folder = arguments.work / arguments.split / entry.name
        if (folder / "compare.json").is_file():
            outcomes += load_comparison(folder).outcomes
        elif entry.name in GRIDS:
            missing.append(entry.name)
    chosen = "\n".join(f"- {o.variant.name}: `{dict(o.chosen)}`" for o in outcomes)
    absent = f"\nNot run: {', '.join(missing)}.\n" if missing else ""
    text = f"""# Every backbone on films with posters, {arguments.split} split

Percent, test split, mean ± deviation of {arguments.seeds} seeds (split, negatives and initial
weights follow the seed), d 64, training and validation positives masked. Every variant chose among
the same eight configurations of its backbone on the first seed's validation split. Significance is
paired, Holm-corrected over the table. Time is one epoch of training with {arguments.threads} thread
beside {arguments.jobs - 1} other process; memory is the peak of the process that ran all of that
backbone's variants, the import of PyTorch included.

{table(outcomes)}
{absent}
Chosen settings:

{chosen}

Command: `python benchmarks/studies/backbones.py SHARED/movielens-100k-posters --split
{arguments.split} --work DIR`. {date.today()}, {platform.machine()}, Python
{platform.python_version()}, torch {torch.__version__}.
"""
    write_text(arguments.out / f"backbones-{arguments.split}.md", text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--split", choices=["cold-item", "random"], required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="these backbones now")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # one backbone, in this process
    parser.add_argument("--table", action="store_true", help="write the table of what is there")
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        run_one(arguments.one, arguments)
        return
    source, path = arguments.source, arguments.work / "films"
    if not (path / "dataset.json").is_file():
        prepare_files(
            source / "items.jsonl", source / "interactions.csv", source, path,
            min_rating=4, k_core=5,
        )  # fmt: skip
    if not arguments.table:
        failed = run_all(arguments.only or sorted(GRIDS), arguments)
        if failed:
            print(f"failed (see the logs in {arguments.work / arguments.split}): {failed}")
    write_table(arguments)


if __name__ == "__main__":
    main()
