"""Every backbone on the conformance suite's warm world: Recall@20 beside iALS and popularity.

    python benchmarks/warm_world.py [--only NAME …] [--seeds N] [--out results/warm-world.md]

What every backbone inherits (`BackboneConformance.test_popularity_and_taste`) is one world and one
training; here each seed is another world and another training, so that the table says how far a
sound model is from failing and a broken one from passing. Seconds are of one thread's own time.
"""

import argparse
import platform
import time
from datetime import date
from pathlib import Path
from statistics import fmean

import torch
from torch.nn.functional import normalize

from cliper.backbones import Backbone, create_backbone, list_backbones
from cliper.testing import WarmWorld, warm_recall, warm_world
from cliper.testing.conformance import (
    ABOVE_POPULARITY,
    WARM_IALS,
    BackboneConformance,
    all_scores,
)

# As the conformance tests of these say, too.
EXCEPTIONS: dict[str, dict[str, object]] = {
    "ials": {"warm_options": WARM_IALS},
    "itemknn": {"warm_case": "none"},
}


class Cosine(BackboneConformance):
    """A sound model whose items are ranked by the cosine: what is known of popularity is lost."""

    backbone = "lightgcn"

    def train_warm(self, world: WarmWorld, seed: int = 0, epochs: int = 20) -> Backbone:
        model = super().train_warm(world, seed, epochs)
        with torch.inference_mode():
            users, items = model.embed()
        model.embed = lambda: (users, normalize(items, dim=1))  # type: ignore[method-assign]
        return model


class Crushed(BackboneConformance):
    """A sound model under a penalty that leaves little of its vectors."""

    backbone = "lightgcn"
    warm_options = {"l2": 0.3}  # noqa: RUF012


BROKEN = {"lightgcn, ranked by the cosine": Cosine, "lightgcn, l2 0.3": Crushed}


def suite(name: str) -> BackboneConformance:
    """The conformance suite of one backbone."""
    if name in BROKEN:
        return BROKEN[name]()
    kind = type("Suite", (BackboneConformance,), {"backbone": name, **EXCEPTIONS.get(name, {})})
    return kind()  # type: ignore[no-any-return]


def row(name: str, worlds: list[WarmWorld], ials: list[float], popularity: list[float]) -> str:
    """One backbone, trained on each world."""
    tested, found, seconds = suite(name), [], []
    for seed, world in enumerate(worlds):
        start = time.thread_time()
        model = tested.train_warm(world, seed)
        seconds.append(time.thread_time() - start)
        found.append(warm_recall(all_scores(model, world), world))
    shares = [r / i for r, i in zip(found, ials, strict=True)]
    times = [r / p for r, p in zip(found, popularity, strict=True)]
    assert tested.warm_share is not None
    passed = sum(
        s >= tested.warm_share and t >= ABOVE_POPULARITY for s, t in zip(shares, times, strict=True)
    )
    return (
        f"| {name} | {100 * fmean(found):.1f} | {fmean(shares):.2f} | {min(shares):.2f} "
        f"| {max(shares):.2f} | {fmean(times):.2f} | {passed} of {len(found)} "
        f"| {fmean(seconds):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", help="backbones; all when left out")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="also write the table to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    worlds = [warm_world(seed=seed) for seed in range(arguments.seeds)]

    def recalls(name: str, options: dict[str, object]) -> list[float]:
        models = [create_backbone(name, w.train, options=options) for w in worlds]
        return [warm_recall(all_scores(m, w), w) for m, w in zip(models, worlds, strict=True)]

    ials, popularity = recalls("ials", WARM_IALS), recalls("popularity", {})
    best = [warm_recall(torch.from_numpy(w.preferences), w) for w in worlds]

    def shown(values: list[float]) -> str:
        return ", ".join(f"{100 * v:.1f}" for v in values)

    lines = [
        "# Every backbone on the warm world",
        "",
        f"`python benchmarks/warm_world.py --seeds {arguments.seeds}`, {date.today()}, "
        f"{platform.machine()}, torch {torch.__version__}. Each backbone with its own defaults, 32 "
        "wide, at learning rate 0.01, 20 epochs, the best one by validation (iALS with the suite's "
        "settings, ItemKNN without features); every seed is another world and another training. "
        "Test Recall@20 in percent, means over the seeds; shares are "
        f"of iALS's on the same world. To pass takes {BackboneConformance.warm_share} of iALS and "
        f"{ABOVE_POPULARITY} times popularity.",
        "",
        f"iALS {shown(ials)}; popularity {shown(popularity)}; the odds that the pairs were drawn "
        f"with {shown(best)}.",
        "",
        "| Backbone | Recall@20 | of iALS | lowest | highest | × popularity | passes | s |",
        "|---|---:|---:|---:|---:|---:|---|---:|",
    ]
    print("\n".join(lines), flush=True)
    for name in arguments.only or [*(entry.name for entry in list_backbones()), *BROKEN]:
        lines.append(row(name, worlds, ials, popularity))
        print(lines[-1], flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
