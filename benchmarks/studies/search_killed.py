"""A search of forty configurations, killed five times and resumed, against one that was not.

    python benchmarks/studies/search_killed.py SHARED/movielens-100k-posters --work DIR [--out FILE]

FREEDOM on cold films, the same seed, one process at a time. The second search is killed (SIGKILL)
at random moments and started again with the same command. Both must draw the same configurations,
prune the same ones and name the same best, to the last digit.
"""

import argparse
import json
import platform
import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from cliper.data import prepare_files

SPACE = (
    "training.learning_rate=1e-3..2e-2:log",
    "backbone.neighbours=5,10,20",
    "backbone.n_item_layers=1,2",
)
SAME = ("number", "params", "state", "valid_recall@20", "best_epoch", "epochs_run")


def command(data: Path, out: Path, trials: int, epochs: int) -> list[str]:
    code = "import sys; from cliper.cli import main; sys.exit(main())"
    words = ["search", str(data), "--backbone", "freedom", "--features", "cliper",
             "--split", "cold-item", "--trials", str(trials), "--epochs", str(epochs),
             "--processes", "1", "--set", "backbone.trainable_features=false",
             "--set", "training.validate_every=2", "--out", str(out), "--json"]  # fmt: skip
    for space in SPACE:
        words += ["--space", space]
    return [sys.executable, "-c", code, *words]


def finish(words: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def trials_of(out: Path) -> list[dict[str, Any]]:
    found = json.loads((out / "search.json").read_text("utf-8"))["trials"]
    return [{key: trial[key] for key in SAME} for trial in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    data = options.work / "films"
    if not (data / "dataset.json").is_file():
        source = options.source
        prepare_files(source / "items.jsonl", source / "interactions.csv", source / "images", data,
                      min_rating=4, k_core=5)  # fmt: skip
    whole, killed = options.work / "whole", options.work / "killed"
    size = (options.trials, options.epochs)
    seconds = finish(command(data, whole, *size))
    print(f"uninterrupted: {seconds:.0f} s", flush=True)
    moments = random.Random(options.seed)
    finished: list[int] = []
    for _ in range(options.kills):
        process = subprocess.Popen(
            command(data, killed, *size), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(timeout=moments.uniform(0.15, 0.4) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done = len(list((killed / "trials").glob("*"))) if killed.exists() else 0
            finished.append(done)
            print(f"killed with {done} trials begun", flush=True)
    finish(command(data, killed, *size))
    a, b = trials_of(whole), trials_of(killed)
    best = [json.loads((o / "search.json").read_text("utf-8"))["best"] for o in (whole, killed)]
    pruned = sum(trial["state"] == "pruned" for trial in a)
    same_trials, same_best = a == b, best[0] == best[1]
    lines = [
        "# A search that is killed five times",
        "",
        f"FREEDOM on cold films, {options.trials} configurations of at most {options.epochs} "
        f"epochs, space: {', '.join(f'`{s}`' for s in SPACE)}; sampler and pruner as by default, "
        "one process.",
        "",
        "| | |",
        "|---|---|",
        f"| killed with SIGKILL | {len(finished)} times, with {finished} trials begun |",
        "| trials (drawn settings, state, epochs, validation) | "
        f"{'equal' if same_trials else '**differ**'} |",
        f"| best trial | {'the same' if same_best else '**differs**'}: number {best[0]['number']}, "
        f"`{best[0]['params']}`, validation Recall@20 {best[0]['value']:.6f} |",
        f"| pruned | {pruned} of {len(a)} |",
        f"| uninterrupted | {seconds:.0f} s |",
        "",
        "Command: `python benchmarks/studies/search_killed.py SHARED/movielens-100k-posters "
        "--work DIR`. "
        f"{date.today()}, {platform.machine()}, Python {platform.python_version()}.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")
    sys.exit(not (same_trials and same_best and len(finished) == options.kills))


if __name__ == "__main__":
    main()
