"""The comparison on films with posters: three backbones, vanilla against CLIPER, five seeds.

    python benchmarks/studies/films.py SHARED/movielens-100k-posters --split cold-item --work DIR

Prepares (rating ≥ 4, 5-core), encodes with `embedded`, chooses each variant's settings on the
first seed's validation split from the same grid, runs every seed and writes
`results/films-<split>.md` and `.csv`. What is done already in DIR is reused.
"""

import argparse
import platform
import time
from datetime import date
from pathlib import Path

import torch

from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import Outcome, analyse, load_comparison
from cliper.experiments.comparisons.table import comparison_records, comparison_rows
from cliper.experiments.comparisons.variants import plan
from cliper.experiments.drawing.tables import csv_text, markdown
from cliper.files import write_text

FUSIONS = ["attention", "sum", "concat", "mlp"]
FIELDS = ["title", "categories", "director", "cast", "description"]
TRAINING = {"max_epochs": 60, "patience": 5, "validate_every": 2}

VIEWS = {"include": [*FIELDS, "global"]}

# backbone → (settings common to its variants, grid of the cold-item split, of the random split).
# Every variant of a backbone chooses among the same configurations on validation: 8, or 4 for
# FREEDOM on the random split.
PLAN: dict[str, tuple[dict, dict, dict]] = {
    "lightgcn": (
        {"training": TRAINING},
        {
            "backbone.n_layers": [2, 3],
            "backbone.l2": [1e-4, 1e-3],
            "training.learning_rate": [1e-3, 5e-3],
        },
        {
            "backbone.n_layers": [2, 3],
            "backbone.l2": [1e-4, 1e-3],
            "training.learning_rate": [1e-3, 5e-3],
        },
    ),
    "vbpr": (
        {"backbone": {"l2": 1e-2}, "views": VIEWS, "training": TRAINING},
        {
            "backbone.id_dropout": [0.9],
            "backbone.content_l2": [3e-4],
            "backbone.content_factor_l2": [True, False],
            "backbone.modalities": ["all", "text"],
            "training.learning_rate": [5e-3, 1e-2],
        },
        {
            "backbone.id_dropout": [0.0, 0.5],
            "backbone.modalities": ["all", "text"],
            "backbone.content_l2": [3e-4, 1e-3],
            "training.learning_rate": [5e-3],
        },
    ),
    "freedom": (
        {"backbone": {"trainable_features": False}, "views": VIEWS, "training": TRAINING},
        {
            "backbone.neighbours": [10, 20],
            "backbone.image_weight": [0.1, 0.0],
            "training.learning_rate": [2e-3, 5e-3],
        },
        {
            "backbone.neighbours": [10, 20],
            "backbone.image_weight": [0.1, 0.0],
            "training.learning_rate": [5e-3],
        },
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--split", choices=["cold-item", "random"], required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=sorted(PLAN), help="one backbone now, no table yet")
    parser.add_argument("--out", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()

    source, path = arguments.source, arguments.work / "films"
    if not (path / "dataset.json").is_file():
        prepare_files(
            source / "items.jsonl", source / "interactions.csv", source, path,
            min_rating=4, k_core=5,
        )  # fmt: skip
    dataset = Dataset.load(path)
    outcomes: list[Outcome] = []
    for backbone, (settings, cold_grid, random_grid) in PLAN.items():
        folder = arguments.work / arguments.split / backbone
        if (folder / "compare.json").is_file():  # done by an earlier call
            outcomes += load_comparison(folder).outcomes
            continue
        if arguments.only not in (None, backbone):
            continue
        grid = cold_grid if arguments.split == "cold-item" else random_grid
        comparison = compare(
            dataset,
            plan([backbone], ["vanilla", "cliper"], FUSIONS),
            range(arguments.seeds),
            folder,
            base={**settings, "split": {"kind": arguments.split}},
            grid=grid,
        )
        outcomes += comparison.outcomes
        print(markdown(comparison_rows(comparison)), flush=True)
    if arguments.only:
        return
    whole = analyse(outcomes, "recall@20")
    chosen = "\n".join(f"- {o.variant.name}: `{dict(o.chosen)}`" for o in outcomes)
    text = f"""# Films with posters, {arguments.split} split

{markdown(comparison_rows(whole))}

Settings were chosen on validation (first seed), for every variant among the same configurations
of its backbone (8; 4 for FREEDOM on the random split) in `benchmarks/studies/films.py`:

{chosen}

Command: `python benchmarks/studies/films.py SHARED/movielens-100k-posters --split {arguments.split}
--work DIR`. {date.today()}, {platform.machine()}, {arguments.threads} threads, Python
{platform.python_version()}, torch {torch.__version__}, {time.perf_counter() - start:.0f} s.
"""
    write_text(arguments.out / f"films-{arguments.split}.md", text)
    write_text(arguments.out / f"films-{arguments.split}.csv", csv_text(comparison_records(whole)))


if __name__ == "__main__":
    main()
