"""What adapting is worth on films, and what it costs.

    python benchmarks/adaptation.py MOVIELENS_POSTERS_FOLDER [--seeds 5] [--cache FILE.npz]
    python benchmarks/adaptation.py --cost [--threads 2]

With a folder: a dual encoder that knows other films stands for the pre-trained one. The two
networks of `embedded` are aligned on one random half of the films; on the other half their
encodings are used as they are, adapted by `adapt_encodings`, and compared with an alignment
fitted on that half alone and with one on both. Retrieval among a tenth of the second half that no
fit has seen, four field views.

With --cost: seconds of one LoRA step, and of encoding the same items, for random weights of the
size of CLIP ViT-B/32, three views.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import transformers
from alignments import Films, encode
from cold_reference import FOUR
from PIL import Image

from cliper.encoders import create_encoder
from cliper.encoders.adaptation import LoraAdaptation, ProjectionAdaptation, adapt_encodings
from cliper.encoders.adaptation.lora_fit import LoraAdapter, cached_pixels
from cliper.encoders.adaptation.retrieval import Retrieval, score_retrieval
from cliper.encoders.alignment import Alignment
from cliper.encoders.alignment_fit import fit_alignment
from cliper.encoders.base import Encodings
from cliper.encoders.contrastive import info_nce
from cliper.encoders.families.tokenizer_files import vocabulary_of
from cliper.encoders.pairs import PairTable, split_pairs
from cliper.encoders.two_tower import TwoTowerEncoder


def aligned(films: Films, seed: int) -> Alignment:
    """The alignment of `embedded` on some films."""
    return fit_alignment(
        films.text.numpy(), films.pairs.present.numpy(), films.image.numpy(),
        groups=films.pairs.text_group.numpy(), seed=seed,
    )  # fmt: skip


def encodings_of(films: Films, alignment: Alignment) -> Encodings:
    present = films.pairs.present.numpy()
    text = np.stack([alignment.project_text(view) for view in films.text.numpy()])
    image = alignment.project_image(films.image.numpy())
    every = np.ones(len(image), dtype=np.bool_)
    return Encodings("films", "other films", "k", FOUR, text * present[..., None], present,
                     image, every)  # fmt: skip


def scored(encodings: Encodings, pairs: PairTable, rows: torch.Tensor) -> Retrieval:
    text, image = torch.from_numpy(encodings.text)[:, rows], torch.from_numpy(encodings.image)[rows]
    return score_retrieval(text, image, pairs.take(rows), FOUR)


def on_films(folder: Path, seeds: int, cache: Path | None) -> None:
    _, films = encode(folder, cache)
    usable = films.image.any(1).nonzero()[:, 0]
    found: dict[str, list[Retrieval]] = {}
    seconds = []
    for seed in range(seeds):
        order = usable[torch.randperm(len(usable), generator=torch.Generator().manual_seed(seed))]
        half = len(order) // 2
        others, ours = films.take(order[:half], slice(4)), films.take(order[half:], slice(4))
        config = ProjectionAdaptation(seed=seed)
        base = encodings_of(ours, aligned(others, seed))
        adapted = adapt_encodings(
            base, config,
            text_groups=ours.pairs.text_group.numpy(), image_groups=ours.pairs.image_group.numpy(),
        )  # fmt: skip
        parts = split_pairs(  # as `adapt_encodings` splits
            ours.pairs.image_group, config.held_out, torch.Generator().manual_seed(seed)
        )
        seen = ours.take(torch.cat([parts.train, parts.valid]))
        seconds.append(adapted.report.seconds)
        both = films.take(torch.cat([order[:half], order[half:][parts.train],
                                     order[half:][parts.valid]]), slice(4))  # fmt: skip
        for name, encodings in {
            "aligned on the other half": base,
            "… and adapted, projection": adapted.encodings,
            "aligned on this half alone": encodings_of(ours, aligned(seen, seed)),
            "aligned on both at once": encodings_of(ours, aligned(both, seed)),
            "chance": replace(base, image=_noise(base.image, seed)),
        }.items():
            found.setdefault(name, []).append(scored(encodings, ours.pairs, parts.report))
        counted = found["… and adapted, projection"][-1]  # on the same pairs as its own report
        assert abs(counted.overall.mrr - adapted.report.after.overall.mrr) < 1e-6
    print(f"{half} films in each half, {len(parts.report)} counted; "
          f"{np.median(seconds):.1f} s a projection\n")  # fmt: skip
    print("| encoder | MRR | minus the first row's, paired | R@10, text → image "
          "| R@10, image → text | matched − unmatched |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    first = [r.overall.mrr for r in next(iter(found.values()))]
    for name, results in found.items():
        overall = [r.overall for r in results]
        columns = (
            [o.mrr for o in overall],
            [o.mrr - before for o, before in zip(overall, first, strict=True)],
            [o.text_to_image.recall_at_10 for o in overall],
            [o.image_to_text.recall_at_10 for o in overall],
            [o.matched - o.unmatched for o in overall],
        )
        cells = " | ".join(f"{np.mean(c):.3f} ± {np.std(c):.3f}" for c in columns)
        print(f"| {name} | {cells} |")


def _noise(like: np.ndarray, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=like.shape).astype(np.float32)


def cost(threads: int, batch: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        encoder = create_encoder(str(_clip_b_32(Path(name) / "clip")), batch_size=batch)
        assert isinstance(encoder, TwoTowerEncoder)
        rng = np.random.default_rng(0)
        paths = [Path(name) / f"{i}.jpg" for i in range(batch)]
        for path in paths:
            Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8)).save(path)
        texts: list[list[str | None]] = [
            [f"The product title is thing number {i}" for i in range(batch)],
            [f"The product brand is maker {i}" for i in range(batch)],
            [" ".join([f"a longer description of thing {i}"] * 2) for i in range(batch)],
        ]
        pixels, _ = cached_pixels(encoder, paths, Path(name))
        config = LoraAdaptation(batch_size=batch)
        adapter = LoraAdapter(encoder, texts, pixels, config, torch.Generator().manual_seed(0))
        own = torch.arange(batch)
        pairs = PairTable(torch.ones(3, batch, dtype=torch.bool), own.expand(3, -1), own)
        optimiser = torch.optim.AdamW(adapter.tensors.values(), lr=1e-4)

        def step() -> None:
            text, image = adapter.embed(own)
            loss = info_nce(text, image, pairs.present, pairs.text_group, torch.tensor(2.6))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

        def forward() -> None:
            with torch.no_grad():
                adapter.embed(own)

        times: dict[str, list[float]] = {"encode": [], "step": []}
        for _ in range(4):
            for kind, work in (("encode", forward), ("step", step)):
                started = time.perf_counter()
                work()
                times[kind].append(time.perf_counter() - started)
        trained = sum(t.numel() for t in adapter.tensors.values())
        whole = sum(p.numel() for p in encoder.towers.parameters())
        encode_s, step_s = (float(np.median(times[k][1:])) for k in ("encode", "step"))
        print(f"{threads} threads, {batch} items of three views a batch, "
              f"{trained / 1e6:.2f} of {whole / 1e6:.0f} million weights trained")  # fmt: skip
        print(f"encode {batch / encode_s:.1f} items/s, LoRA step {batch / step_s:.1f} items/s "
              f"({step_s / encode_s:.2f} times as long)")  # fmt: skip


def _clip_b_32(folder: Path) -> Path:
    vocabulary = vocabulary_of([])
    end = len(vocabulary) - 1
    text = {"vocab_size": end + 1, "bos_token_id": end - 1, "eos_token_id": end}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text)  # the library's defaults are ViT-B/32's
    transformers.CLIPModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    size = {"height": 224, "width": 224}
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "do_center_crop": True,
        "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, "resample": 3,
        "size": {"shortest_edge": 224}, "crop_size": size,
        "image_mean": [0.5] * 3, "image_std": [0.25] * 3,
    }))  # fmt: skip
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="shared with alignments.py")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.folder is not None:
        on_films(args.folder, args.seeds, args.cache)
    if args.cost:
        cost(args.threads, args.batch)


if __name__ == "__main__":
    main()
