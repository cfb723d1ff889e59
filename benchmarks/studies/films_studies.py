"""Every study on films with posters: FREEDOM, cold items, five seeds.

    python benchmarks/studies/films_studies.py SHARED/movielens-100k-posters --work DIR

Prepares (rating ≥ 4, 5-core), encodes with `embedded`, runs the studies and copies their tables,
findings and figures to `results/studies/`. What is done already in DIR is reused, so the script
may be stopped and started again. All arms have FREEDOM's settings of `results/films-cold-item.md`,
where validation had chosen the same for every kind of features but one. 275 trainings, about 15
minutes with two processes on two cores.
"""

import argparse
import platform
import shutil
import time
from datetime import date
from pathlib import Path

import torch

from cliper.data import Dataset
from cliper.data.prepare import prepare_files
from cliper.experiments.studies import STUDIES, Setting, run_study
from cliper.files import write_text

BASE = {
    "views": {"include": ["title", "categories", "director", "cast", "description", "global"]},
    "split": {"kind": "cold-item"},
    "backbone": {"trainable_features": False, "neighbours": 20, "image_weight": 0.1},
    "training": {"max_epochs": 60, "patience": 5, "validate_every": 2, "learning_rate": 5e-3},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", choices=sorted(STUDIES), action="append")
    parser.add_argument("--out", type=Path, default=Path("results/studies"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # here and in every worker
    source, path = arguments.source, arguments.work / "films"
    if not (path / "dataset.json").is_file():
        prepare_files(
            source / "items.jsonl", source / "interactions.csv", source, path,
            min_rating=4, k_core=5,
        )  # fmt: skip
    setting = Setting.make(Dataset.load(path), BASE, seeds=range(arguments.seeds))
    folder = arguments.work / "studies"
    for name in arguments.only or STUDIES:
        start = time.perf_counter()
        run_study(name, setting, folder, processes=arguments.processes)
        seconds = time.perf_counter() - start
        note = (
            f"\nCommand: `python benchmarks/studies/films_studies.py SHARED/movielens-100k-posters "
            f"--work DIR`. {date.today()}, {platform.machine()}, Python "
            f"{platform.python_version()}, torch {torch.__version__}.\n"
        )
        for file in sorted(folder.glob(f"{name}*")):
            if file.suffix in (".csv", ".svg", ".tex"):
                arguments.out.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, arguments.out / file.name)
        page = (folder / f"{name}.md").read_text(encoding="utf-8")
        write_text(arguments.out / f"{name}.md", page + note)
        print(f"{name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
