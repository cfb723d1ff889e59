"""What a poster gives away of a film's texts: how far any alignment of `embedded` could come.

    python benchmarks/alignment_ceiling.py MOVIELENS_POSTERS_FOLDER [--seeds 5] [--cache FILE.npz]
        [--class-names FILE]

Ridge regression from a poster to the mean of its film's four texts, in closed form, from more than
`embedded` sees: every stage of the packaged image network (mean and deviation of its channels), the
probabilities of its thousand classes, colours; and from fewer films. Fitted on 80 % of the ranked
films and on all that are not ranked, the penalty chosen on 10 %, judged on the last 10 %, as
`alignments.py` does. With `--class-names` (a line a class of ImageNet, in its order; timm's
package has them) also without any training: class probabilities times the sentence embeddings of
the names. Writes the second table of results/alignments.md.
"""

import argparse
import json
import platform
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from alignments import Films, encode
from cold_reference import FOUR, interactions
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import normalize

from cliper.encoders.adaptation.retrieval import Retrieval, score_retrieval
from cliper.encoders.efficientnet import EfficientNetLite, folded, load_plain, normalise
from cliper.encoders.minilm import MiniLM
from cliper.encoders.pairs import PairTable, split_pairs
from cliper.files import write_text

RESULT = Path(__file__).parents[1] / "results" / "alignments.md"
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)
FEWER = (100, 200, 400)
Array = npt.NDArray[np.float32]


def pictures(folder: Path, cache: Path | None) -> dict[str, Tensor]:
    """Rows of every film: `stages` (n, 1568), `colours` (n, 120), `classes` (n, 1000) logits."""
    kept = None if cache is None else cache.with_suffix(".pictures.npz")
    if kept is not None and kept.is_file():
        return {name: torch.from_numpy(rows) for name, rows in np.load(kept).items()}
    lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    names = [json.loads(line)["image"] for line in lines]
    plain = load_plain(EfficientNetLite().weights)
    network = folded(plain).requires_grad_(False)
    blocks = list(network._blocks)
    widths = [block._project_conv.out_channels for block in blocks]
    ends = [i for i, w in enumerate(widths) if i + 1 == len(widths) or widths[i + 1] != w]
    seen: dict[int, Tensor] = {}

    def watch(i: int) -> None:
        blocks[i].register_forward_hook(
            lambda _, __, out: seen.update({i: torch.cat([out.mean((2, 3)), out.std((2, 3))], 1)})
        )

    for i in ends:
        watch(i)
    found: dict[str, Array] = {}
    for row, name in enumerate(names):
        if not name:
            continue
        image = Image.open(folder / "images" / Path(name).name).convert("RGB")
        square = np.asarray(ImageOps.fit(image, (224, 224), Image.Resampling.BICUBIC))
        with torch.inference_mode():
            pixels = normalise(torch.from_numpy(square.copy())[None].permute(0, 3, 1, 2))
            pooled = network.extract_features(pixels).mean((2, 3))
            logits = plain._fc(pooled)
        hsv = np.asarray(image.convert("HSV").resize((96, 144))).reshape(-1, 3)
        counts = np.histogramdd(hsv, bins=(8, 3, 4), range=((0, 256),) * 3)[0].ravel() / len(hsv)
        patches = np.asarray(image.resize((2, 4), Image.Resampling.BOX)).ravel() / 255
        rows = {
            "stages": torch.cat([seen[i] for i in ends], 1)[0].numpy(),
            "colours": np.concatenate([np.sqrt(counts), patches]),
            "classes": logits[0].numpy(),
        }
        for key, values in rows.items():
            table = found.setdefault(key, np.zeros((len(names), len(values)), np.float32))
            table[row] = values
    if kept is not None:
        np.savez(kept, **found)
    return {name: torch.from_numpy(rows) for name, rows in found.items()}


def standard(rows: Tensor, train: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the training rows, every block as long as another."""
    mean, deviation = rows[train].mean(0), rows[train].std(0, correction=0)
    return (rows - mean) / torch.where(deviation < 1e-6, 1.0, deviation) / rows.shape[1] ** 0.5


class World:
    """The films, and who is trained on, tuned on and judged on."""

    def __init__(self, folder: Path, cache: Path | None) -> None:
        ids, self.films = encode(folder, cache)
        core = interactions(folder, ids)[1]
        there = self.films.image.any(1)
        ranked = torch.zeros(len(ids), dtype=torch.bool)
        ranked[torch.from_numpy(core)] = True
        self.usable = (ranked & there).nonzero()[:, 0]
        self.extra = (~ranked & there).nonzero()[:, 0]

    def parts(self, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """Rows to train on, to tune on and to judge on."""
        generator = torch.Generator().manual_seed(seed)
        parts = split_pairs(self.films.pairs.image_group[self.usable], 0.1, generator)
        train = torch.cat([self.usable[parts.train], self.extra])
        return train, self.usable[parts.valid], self.usable[parts.report]

    def score(self, text: Tensor, image: Tensor, rows: Tensor) -> Retrieval:
        """Retrieval among some films, of all films' vectors (4, n, D) and (n, D)."""
        pairs = self.films.take(rows).pairs
        four = PairTable(pairs.present[:4], pairs.text_group[:4], pairs.image_group)
        return score_retrieval(text[:, rows], image[rows], four, FOUR)


def centred(films: Films, train: Tensor) -> Tensor:
    """The four views (4, n, 384) without their means over the training films; 0 where absent."""
    text, present = normalize(films.text[:4], dim=-1), films.pairs.present[:4]
    inside = torch.zeros(present.shape[1], dtype=torch.bool)
    inside[train] = True
    means = [text[c][present[c] & inside].mean(0) for c in range(4)]
    return (text - torch.stack(means)[:, None]) * present[..., None]


def ways(films: Films, more: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    """Name → the blocks of picture features that it sees."""
    classes = more["classes"].softmax(1).sqrt()
    everything = [films.image, more["stages"], more["colours"], classes]
    return {
        "pooled features, as `embedded`": [films.image],
        "every stage": [more["stages"]],
        "pooled and every stage": [films.image, more["stages"]],
        "class probabilities": [classes],
        "colours": [more["colours"]],
        "all of these": everything,
    }


def regressed(blocks: list[Tensor], text: Tensor, present: Tensor, train: Tensor) -> list[Tensor]:
    """Predictions (n, 384) of the mean text for every penalty, in the dual form."""
    x = torch.cat([standard(block, train) for block in blocks], 1) / len(blocks) ** 0.5
    y = text.sum(0) / present.sum(0).clamp(min=1)[:, None]
    inside = x[train] @ x[train].T
    across = x @ x[train].T
    eye = torch.eye(len(train))
    return [across @ torch.linalg.solve(inside + p * eye, y[train]) for p in PENALTIES]


def lines(world: World, more: dict[str, Tensor], seeds: int, names: Path | None) -> Iterator[str]:
    """The rows of the table."""
    films, present = world.films, world.films.pairs.present[:4]
    bridge = None
    if names is not None:
        words = [line.split("\t")[-1].split(",")[0] for line in names.read_text().splitlines()]
        meaning = normalize(torch.from_numpy(MiniLM().encode_text(words)), dim=-1)
        bridge = (more["classes"] / 2).softmax(1) @ meaning
    told: dict[str, list[Retrieval]] = {}
    for seed in range(seeds):
        train, valid, report = world.parts(seed)
        text = centred(films, train)

        def judge(
            name: str, tables: list[Tensor], text: Tensor = text, valid: Tensor = valid,
            report: Tensor = report,
        ) -> None:  # fmt: skip
            best = max(tables, key=lambda t: _mean(world.score(text, t, valid)))
            told.setdefault(name, []).append(world.score(text, best, report))

        if bridge is not None:
            judge("zero-shot: class probabilities × names", [bridge - bridge[train].mean(0)])
        for name, blocks in ways(films, more).items():
            judge(f"ridge: {name}", regressed(blocks, text, present, train))
        both = ways(films, more)["pooled and every stage"]
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
        for few in FEWER:
            some = train[order[:few]]
            judge(f"the same of {few} films", regressed(both, centred(films, some), present, some))
    order_of = sorted(told, key=lambda name: name.startswith("the same"))
    for name in order_of:
        cells = [_mean(r) for r in told[name]]
        sides = [
            np.mean([getattr(r.overall, side).recall_at_10 for r in told[name]])
            for side in ("image_to_text", "text_to_image")
        ]
        views = [
            np.mean([
                (r.views[v].image_to_text.recall_at_10 + r.views[v].text_to_image.recall_at_10) / 2
                for r in told[name]
            ])
            for v in FOUR
        ]  # fmt: skip
        shown = " | ".join(f"{100 * x:.1f}" for x in [*sides, *views])
        yield f"| {name} | {100 * np.mean(cells):.1f} ± {100 * np.std(cells):.1f} | {shown} |"


def _mean(report: Retrieval) -> float:
    both = report.overall
    return (both.text_to_image.recall_at_10 + both.image_to_text.recall_at_10) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="keeps the encodings for the next run")
    parser.add_argument("--class-names", type=Path, help="a line a class of ImageNet")
    given = parser.parse_args()
    torch.set_num_threads(1)
    world = World(given.folder, given.cache)
    more = pictures(given.folder, given.cache)
    held = len(world.parts(0)[2])
    head = (
        "`python benchmarks/alignment_ceiling.py SHARED/movielens-100k-posters --class-names "
        "FILE`, "
        f"{date.today()}, {platform.machine()}, torch {torch.__version__}; {given.seeds} seeds, "
        f"{held} films held out. R@10 in percent, mean over four views; of both directions ± the "
        "deviation over seeds, then each, then by view. Chance is 10."
    )
    table = [
        "| way | R@10 | picture → text | text → picture | " + " | ".join(FOUR) + " |",
        "|---|---:|---:|---:|" + "---:|" * len(FOUR),
        *lines(world, more, given.seeds, given.class_names),
    ]
    page = RESULT.read_text("utf-8") if RESULT.is_file() else "# Alignment\n\n"
    write_text(RESULT, page.split("<!-- ceiling -->")[0] + "<!-- ceiling -->\n\n" + head + "\n\n"
               + "\n".join(table) + "\n")  # fmt: skip
    print("\n".join(table))


if __name__ == "__main__":
    main()
