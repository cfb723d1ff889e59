"""The paper's five backbones and LightGCN on films with posters: the paper's Table 2, five seeds.

    python benchmarks/studies/films_compare.py SHARED/movielens-100k-posters --work DIR

Each split is one `cliper compare`, whose command is printed. What is done in DIR is reused. The
tables go to results/compare-films/, the report of everything in DIR to DIR/out/report.html.
"""

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from cliper.cli import main as cliper

BACKBONES = "lightgcn,mmgcn,dualgnn,lattice,slmrec,freedom"
KEPT = ("compare.md", "compare.csv", "compare.tex")


def run(*arguments: object) -> None:
    """A command as a person would type it; ends here where it fails."""
    words = [str(argument) for argument in arguments]
    print("+", shlex.join(["cliper", *words]), flush=True)
    status = cliper(words)
    if status:
        sys.exit(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--split", nargs="+", default=["random", "cold-item"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("results/compare-films"))
    options = parser.parse_args()
    data = options.work / "films"
    source = options.source
    if not (data / "dataset.json").is_file():
        run("prepare", "files", "--items", source / "items.jsonl", "--interactions",
            source / "interactions.csv", "--images", source / "images", "--min-rating", 4,
            "--k-core", 5, "--out", data)  # fmt: skip
    for split in options.split:
        out = options.work / "out" / split
        run("compare", data, "--backbones", BACKBONES, "--features", "vanilla,cliper",
            "--seeds", options.seeds, "--split", split, "--epochs", 30,
            "--grid", "training.learning_rate=0.005,0.015", "--processes", options.processes,
            "--out", out)  # fmt: skip
        for name in KEPT:
            if (out / name).is_file():
                options.results.mkdir(parents=True, exist_ok=True)
                kept = options.results / f"{split}{Path(name).suffix}"
                shutil.copyfile(out / name, kept)
    run("report", options.work / "out")


if __name__ == "__main__":
    main()
