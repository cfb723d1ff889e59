"""What a GPU does with all this, against the CPU beside it, in at most eight minutes.

    python benchmarks/gpu.py [--device cuda] [--small]

Loss and gradients of every trained backbone on the device against the CPU (1e-4); epochs of six;
ranking; BPR and VBPR on a million users and items; image and text tower of a ViT-B/32 with random
weights in bfloat16, as a share of the rate of a large matrix product on the same device. A row that
would begin after `--seconds` is left out. Writes `results/gpu.md`; `--small` is a trial: all rows
on small sets, nothing written.
"""

import argparse
import platform
import sys
import time
import traceback
from collections.abc import Callable
from datetime import date
from pathlib import Path

import scale
import torch

from cliper.backbones import (
    Backbone,
    Batch,
    backbone_entry,
    create_backbone,
    list_backbones,
)
from cliper.data import Interactions, ItemFields
from cliper.files import write_text
from cliper.ranking import FactorScorer, evaluate
from cliper.representation.features import ItemFeatures
from cliper.testing.warm_world import warm_world
from cliper.training import Trainer, TrainingConfig

NAMES = ("bpr", "vbpr", "lightgcn", "freedom", "mgcn", "sasrec")
CLOSE = 1e-4
RESULT = Path(__file__).parents[1] / "results" / "gpu.md"


class Bench:
    def __init__(self, device: str, small: bool) -> None:
        self.device, self.small, self.failed = device, small, False

    def seconds(self, work: Callable[[], object], repeats: int = 3) -> float:
        """The best of some runs, the first of which warms up; the device is waited for."""
        taken = []
        for _ in range(repeats):
            self.wait()
            start = time.perf_counter()
            work()
            self.wait()
            taken.append(time.perf_counter() - start)
        return min(taken[1:] or taken)

    def wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def agreement(self) -> str:
        """The largest difference of any trained backbone, and the ones beyond what is allowed."""
        found = {entry.name: self.difference(entry.name) for entry in list_backbones()}
        known = {name: worst for name, worst in found.items() if worst is not None}
        name = max(known, key=lambda n: known[n])
        beyond = [f"{n} {worst:.1e}" for n, worst in known.items() if not worst <= CLOSE]
        told = f"{len(known)} backbones, at most {known[name]:.1e} ({name})"
        self.failed |= bool(beyond)
        return f"{told}; beyond {CLOSE}: {', '.join(beyond)}" if beyond else told

    def difference(self, name: str) -> float | None:
        """Of loss terms and gradients, in units of each one's largest number; None: not trained."""
        world = warm_world(200, 100)
        train = world.train
        pairs = slice(0, 256)
        users, items = train.user_index[pairs], train.item_index[pairs]
        found = []
        for device in ("cpu", self.device):
            model = build(name, train, world.features, world.fields).to(device).train()
            if not model.is_trained:
                return None
            model.on_epoch_start(torch.Generator().manual_seed(0))
            columns = [torch.from_numpy(x.copy()).to(device) for x in (users, items, items[::-1])]
            terms = model.loss(Batch(*columns))
            torch.stack(list(terms.values())).sum().backward()
            grads = {
                n: p.grad.to_dense() for n, p in model.named_parameters() if p.grad is not None
            }
            found.append({k: v.detach().cpu() for k, v in {**terms, **grads}.items()})
        return max(
            float((a - b).abs().max() / a.abs().max().clamp(min=1e-6))
            for a, b in ((found[0][k], found[1][k]) for k in found[0])
        )

    def epoch(self, name: str) -> str:
        """Seconds of an epoch on a set of Amazon-Baby's size, the device's and the CPU's."""
        sizes = (500, 300, 8_000) if self.small else (19_445, 7_050, 148_000)
        train = with_times(scale.interactions(*sizes)[0])
        features = given(train)
        times = []
        for device in (self.device, "cpu"):
            loop = trainer(build(name, train, features), train, device)
            times.append(self.seconds(loop._train_epoch, 3 if device != "cpu" else 2))
        return f"{times[0]:.2f} s; CPU {times[1]:.2f} s"

    def ranking(self) -> str:
        """Ten thousand users, a hundred thousand items, 64 wide."""
        sizes = (500, 300, 8_000) if self.small else (10_000, 100_000, 500_000)
        train, valid, _ = scale.interactions(*sizes)
        users, items = (torch.randn(n, 64, device=self.device) for n in sizes[:2])
        scorer = FactorScorer(users, items)
        taken = self.seconds(lambda: evaluate(scorer, valid, train=train, chunk_size=512), 2)
        return f"{taken:.2f} s"

    def million(self, name: str) -> str:
        """An epoch on a million users and a million items, ten million rows."""
        sizes = (500, 300, 8_000) if self.small else (1_000_000, 1_000_000, 12_500_000)
        train = scale.interactions(*sizes)[0]
        features = given(train) if name == "vbpr" else None
        loop = trainer(build(name, train, features), train, self.device, 8192)
        return f"{self.seconds(loop._train_epoch, 2):.1f} s"

    def towers(self) -> str:
        """Share of a matrix product's rate that both towers reach, by their own floating counts."""
        from torch.utils.flop_counter import FlopCounterMode
        from transformers import CLIPConfig, CLIPModel

        n, batch = (256, 2) if self.small else (8192, 256)
        a = torch.randn(n, n, device=self.device, dtype=torch.bfloat16)
        rate = 2 * n**3 / self.seconds(lambda: a @ a, 5)
        model = CLIPModel(CLIPConfig()).to(self.device, torch.bfloat16).eval()
        pixels = torch.randn(batch, 3, 224, 224, device=self.device, dtype=torch.bfloat16)
        tokens = torch.randint(1000, (batch, 77), device=self.device)
        works: dict[str, Callable[[], object]] = {
            "image": lambda: model.get_image_features(pixel_values=pixels),
            "text": lambda: model.get_text_features(input_ids=tokens),
        }
        parts = [f"product {rate / 1e12:.1f} TFLOP/s"]
        with torch.inference_mode():
            for name, work in works.items():
                with FlopCounterMode(display=False) as counter:
                    work()
                taken = self.seconds(work, 4)
                share = counter.get_total_flops() / taken / rate
                parts.append(f"{name} {100 * share:.0f} %, {batch / taken:.0f} a second")
        return "; ".join(parts)


def build(
    name: str, train: Interactions, features: ItemFeatures | None, fields: ItemFields | None = None
) -> Backbone:
    kind = backbone_entry(name).backbone
    wanted = kind.uses_features and not kind.features_optional
    return create_backbone(name, train, features if wanted else None, fields=fields)


def trainer(model: Backbone, train: Interactions, device: str, batch: int | None = None) -> Trainer:
    config = TrainingConfig(max_epochs=1, device=device, batch_size=batch or "auto")
    return Trainer(model, train, config, lambda _: {"recall@20": 0.0})


def given(train: Interactions) -> ItemFeatures:
    return ItemFeatures(train.items.hash, {"text": scale.content(train.n_items)}, kind="given")


def with_times(train: Interactions) -> Interactions:
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0)).numpy()
    return Interactions(
        train.users, train.items, train.user_index, train.item_index, timestamp=order
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=400, help="no row begins after these")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    bench = Bench(options.device, options.small)
    rows: dict[str, Callable[[], str]] = {}
    rows["loss and gradients against the CPU"] = bench.agreement
    rows["towers of ViT-B/32, bfloat16"] = bench.towers
    rows["ranking, 10,000 users × 100,000 items"] = bench.ranking
    for name in NAMES:
        rows[f"{name}: an epoch, Amazon-Baby's size"] = lambda n=name: bench.epoch(n)
    for name in ("bpr", "vbpr"):
        rows[f"{name}: an epoch, 1M users, 1M items, 10M rows"] = lambda n=name: bench.million(n)
    lines = ["| | |", "|---|---|"]
    begun = time.perf_counter()
    for label, work in rows.items():
        late = time.perf_counter() - begun > options.seconds
        try:
            found = "left out, no time" if late else work()
        except Exception as error:  # the other rows are worth the device's time
            traceback.print_exc()
            found, bench.failed = f"{type(error).__name__}: {error}".splitlines()[0], True
        lines.append(f"| {label} | {found} |")
        print(lines[-1], flush=True)
    if options.small:
        sys.exit(bench.failed)
    cuda = options.device.startswith("cuda")
    card = torch.cuda.get_device_name(options.device) if cuda else platform.processor()
    head = (
        f"# On a GPU\n\n{card}, torch {torch.__version__}, {date.today()}. Differences are in "
        "units of each term's and gradient's largest number; seconds are the best after a warm-up; "
        "the towers' rates are shares of a bfloat16 product of 8,192 × 8,192 matrices. "
        f"{time.perf_counter() - begun:.0f} s in all. Command: `python benchmarks/gpu.py`.\n\n"
    )
    write_text(RESULT, head + "\n".join(lines) + "\n")
    sys.exit(bench.failed)


if __name__ == "__main__":
    main()
