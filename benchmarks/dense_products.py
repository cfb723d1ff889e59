"""Dense products of the backbones' shapes: PyTorch's usual one against `cliper.dense`.

    python benchmarks/dense_products.py [--threads 2] [--repeats 40]

The two are interleaved in one process, a median each; billions of multiply-adds, doubled, a second.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date

import torch

from cliper.dense import matmul

# (n, k, m) of (n, k) @ (k, m), and what it is at Amazon-Baby's size; `T`: the left side is a
# transposed table, as in the gradient of a weight.
SHAPES = {
    "nodes through a square map": (26495, 64, 64, ""),
    "gradient of that map": (64, 26495, 64, "T"),
    "items' features to width 64": (7050, 768, 64, ""),
    "gradient of that map ": (64, 7050, 768, "T"),
    "a batch's features": (2048, 768, 65, ""),
    "cosines within a batch": (2048, 64, 2048, ""),
    "their gradient, left": (2048, 2048, 64, ""),
    "their gradient, right": (2048, 2048, 64, "T"),
}


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(
        f"{date.today()}, {platform.machine()}, {arguments.threads} threads, torch "
        f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}. "
        "`python benchmarks/dense_products.py`\n\n"
        "| product | n, k, m | usual ms | ours ms | usual GF/s | ours GF/s | faster |\n"
        "|---|---|---:|---:|---:|---:|---:|"
    )
    for name, (n, k, m, transposed) in SHAPES.items():
        a = torch.randn(k, n).T if transposed else torch.randn(n, k)
        b = torch.randn(k, m)
        times: tuple[list[float], list[float]] = ([], [])
        for repeat in range(arguments.repeats + 3):  # the first three warm up
            pair = seconds(lambda: a @ b), seconds(lambda: matmul(a, b))  # noqa: B023
            if repeat >= 3:
                times[0].append(pair[0])
                times[1].append(pair[1])
        usual, ours = map(statistics.median, times)
        work = 2 * n * k * m / 1e9
        print(
            f"| {name.strip()} | {n}, {k}, {m} | {1000 * usual:.2f} | {1000 * ours:.2f} "
            f"| {work / usual:.0f} | {work / ours:.0f} | {usual / ours:.2f}× |"
        )


if __name__ == "__main__":
    main()
