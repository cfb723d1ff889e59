"""One full-ranking evaluation of all users against its floor, interleaved in one process.

The floor is one GEMM per chunk into a reused buffer plus `torch.topk`, with no mask, no rule for
ties and no metrics. Random factors; the interactions of Amazon-Baby where they are at hand
(`CLIPER_DATA` or `../shared/data`), synthetic ones of the same size elsewhere.

    python benchmarks/ranking.py [--chunks 128,256,512,2048] [--repeats 7]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.csv as csv
import torch

from cliper.data import Interactions, Vocabulary
from cliper.ranking import FactorScorer, evaluate

N_USERS, N_ITEMS, N_PAIRS = 19_445, 7_050, 160_792


def pairs() -> tuple[str, Interactions]:
    """The interactions and where they are from."""
    root = Path(os.environ.get("CLIPER_DATA", "../shared/data"))
    file = root / "amazon-baby" / "interactions.csv.gz"
    if file.is_file():
        table = csv.read_csv(file)
        user = table["user_id"].combine_chunks().cast("string").dictionary_encode()
        item = table["item_id"].combine_chunks().cast("string").dictionary_encode()
        columns = [np.asarray(c.indices, dtype=np.int64) for c in (user, item)]
        return "amazon-baby", Interactions(
            Vocabulary(user.dictionary), Vocabulary(item.dictionary), *columns
        )
    rng = np.random.default_rng(0)
    return "synthetic", Interactions(
        Vocabulary([str(i) for i in range(N_USERS)]),
        Vocabulary([str(i) for i in range(N_ITEMS)]),
        np.concatenate([np.arange(N_USERS), rng.integers(N_USERS, size=N_PAIRS - N_USERS)]),
        rng.integers(N_ITEMS, size=N_PAIRS),
    )


def floor(users: torch.Tensor, items: torch.Tensor, k: int, chunk: int) -> None:
    """One GEMM and one top-k per chunk."""
    buffer = torch.empty(chunk, len(items))
    for start in range(0, len(users), chunk):
        part = users[start : start + chunk]
        torch.topk(torch.mm(part, items.T, out=buffer[: len(part)]), k)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", default="128,256,512,2048")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    source, log = pairs()
    # one held-out pair a user, so that every user is ranked
    _, first = np.unique(log.user_index, return_index=True)
    held = np.zeros(len(log), dtype=bool)
    held[first] = True
    train, test = log.select(~held), log.select(held)
    generator = torch.Generator().manual_seed(0)
    users = torch.randn(log.n_users, options.width, generator=generator)
    items = torch.randn(log.n_items, options.width, generator=generator)
    scorer = FactorScorer(users, items)
    chunks = [int(c) for c in options.chunks.split(",")]
    taken: dict[str, dict[int, list[float]]] = {"floor": {}, "evaluate": {}}
    with torch.inference_mode():
        for _ in range(options.repeats):
            for chunk in chunks:
                work: dict[str, Callable[[], object]] = {
                    "floor": lambda c=chunk: floor(users, items, 50, c),
                    "evaluate": lambda c=chunk: evaluate(scorer, test, train=train, chunk_size=c),
                }
                for name, function in work.items():
                    taken[name].setdefault(chunk, []).append(seconds(function))
    medians = {
        name: {chunk: statistics.median(values) for chunk, values in by_chunk.items()}
        for name, by_chunk in taken.items()
    }
    best = min(medians["floor"].values())
    record = {
        "data": source,
        "users": log.n_users,
        "items": log.n_items,
        "width": options.width,
        "threads": options.threads,
        "seconds": medians,
        "ratio_to_floor_at_same_chunk": {
            chunk: medians["evaluate"][chunk] / medians["floor"][chunk] for chunk in chunks
        },
        "ratio_to_best_floor": {c: medians["evaluate"][c] / best for c in chunks},
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
