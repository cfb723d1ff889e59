"""Pictures and texts a second: a CLIP with random weights in a plain loop, and ours, interleaved.

    python benchmarks/encoder_throughput.py FOLDER [--count 16] [--rounds 3] [--threads 1]
    python benchmarks/encoder_throughput.py FOLDER --size l-14 --device cuda --dtypes bfloat16

FOLDER has items.jsonl and images. The plain loop is what one writes at first with `transformers`:
32 at a time, texts tokenised and padded to 77, pictures opened by Pillow and through
`CLIPImageProcessor` (its Pillow version), in the same precision. Ours is `encode_text` and
`encode_image` from files to features. Texts are the views of the items: each field by itself, and
all of them. Weights do not matter to speed; a published vocabulary is not at hand everywhere, so
the merges are learned here, and what it needs in tokens is reported.

Floors: a tower's multiply-adds over the rate of a large square product (the best of the library's
and oneDNN's), and the bytes that it must read over the rate of a copy, in the same rounds. Every
number is the median of the rounds, ratios are medians of a round's ratios. Round 0 warms up.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers
import torch
import transformers
from PIL import Image
from tokenizers.trainers import BpeTrainer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from cliper.dense import matmul
from cliper.encoders.families.clip import ClipTowers
from cliper.encoders.families.tokenizer_files import load_clip_tokenizer, vocabulary_of
from cliper.encoders.images import decode_batches
from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.encoders.towers import ModelParts
from cliper.encoders.two_tower import TwoTowerEncoder

SIZES = {"b-32": (12, 768, 32, 512, 512), "l-14": (24, 1024, 14, 768, 768)}
BATCH, LIMIT, SPECIALS = 32, 77, 2
Work = Callable[[], Any]


def model_of(size: str, vocabulary: int) -> transformers.CLIPModel:
    layers, width, patch, out, text = SIZES[size]
    end = vocabulary - 1
    config = transformers.CLIPConfig(
        text_config={
            "hidden_size": text, "intermediate_size": 4 * text, "num_hidden_layers": 12,
            "num_attention_heads": text // 64, "vocab_size": vocabulary,
            "bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end,
        },
        vision_config={
            "hidden_size": width, "intermediate_size": 4 * width, "patch_size": patch,
            "num_hidden_layers": layers, "num_attention_heads": width // 64,
        },
        projection_dim=out,
    )  # fmt: skip
    torch.manual_seed(0)
    return transformers.CLIPModel(config).eval().requires_grad_(False)


def learned_tokenizer(texts: list[str]) -> TextTokenizer:
    """CLIP's rule with merges learned on these texts."""
    rule = transformers.CLIPTokenizer(vocab=vocabulary_of([]), merges=[])
    engine = tokenizers.Tokenizer.from_str(rule.backend_tokenizer.to_str())
    alphabet = [w for w in vocabulary_of([]) if len(w) == 1]
    trainer = BpeTrainer(
        vocab_size=8000, end_of_word_suffix="</w>", initial_alphabet=alphabet, show_progress=False
    )
    engine.train_from_iterator(texts, trainer)
    merges = [tuple(m) for m in json.loads(engine.to_str())["model"]["merges"]]
    with tempfile.TemporaryDirectory() as folder:
        transformers.CLIPTokenizer(vocab=vocabulary_of(merges), merges=merges).save_pretrained(
            folder
        )
        return load_clip_tokenizer(Path(folder))


def inputs(folder: Path, count: int) -> tuple[list[str], list[Path], list[str]]:
    """Views of `count` items, their pictures, and every text of the catalogue."""
    lines = (folder / "items.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("image")]
    views = [list(views_of(row)) for row in rows]
    chosen = np.random.default_rng(0).permutation(len(rows))[:count]
    texts = [text for i in chosen for text in views[i]]
    pictures = [folder / rows[i]["image"] for i in chosen]
    return texts, pictures, [text for one in views for text in one]


def views_of(row: dict[str, Any]) -> Iterable[str]:
    told = []
    for name, value in row.items():
        if name in ("item_id", "image") or not value:
            continue
        told.append(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return [*told, ". ".join(told)]


def multiply_adds(towers: ClipTowers, tokens: int) -> tuple[float, float]:
    """Of one picture, and of one text of that many tokens: linear layers, patches, attention."""
    total = 0.0

    def linear(layer: torch.nn.Module, _: Any, out: torch.Tensor) -> None:
        nonlocal total
        total += out.numel() * layer.weight[0].numel()

    def attention(layer: torch.nn.Module, _: Any, out: Any) -> None:
        nonlocal total
        states = out[0]
        total += 2 * states.shape[1] * states.numel()

    hooks = []
    for part in towers.modules():
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
            hooks.append(part.register_forward_hook(linear))
        elif type(part).__name__.endswith("Attention"):
            hooks.append(part.register_forward_hook(attention))
    with torch.inference_mode():
        towers.image(torch.zeros(1, 3, 224, 224))
        image, total = total, 0.0
        towers.text(torch.ones(1, tokens, dtype=torch.int64), None)
    for hook in hooks:
        hook.remove()
    return image, total


class Plain:
    """The first loop that comes to mind."""

    def __init__(
        self, model: transformers.CLIPModel, tokenizer: TextTokenizer, device: str, dtype: str
    ) -> None:
        self.device, self.dtype = device, getattr(torch, dtype)
        self.model = model.to(device, self.dtype)
        self.tokenizer, self.processor = tokenizer, CLIPImageProcessorPil()

    def ids(self, texts: list[str]) -> torch.Tensor:
        t = self.tokenizer
        out = torch.full((len(texts), LIMIT), t.pad)
        for row, ids in enumerate(t.encode(texts, keep=LIMIT - SPECIALS)):
            full = [*t.before, *ids[: LIMIT - SPECIALS], *t.after]
            out[row, : len(full)] = torch.tensor(full)
        return out

    @torch.inference_mode()
    def text(self, texts: list[str]) -> np.ndarray:
        parts = []
        for i in range(0, len(texts), BATCH):
            ids = self.ids(texts[i : i + BATCH]).to(self.device)
            mask = torch.ones_like(ids)
            out = self.model.get_text_features(input_ids=ids, attention_mask=mask)
            parts.append(out.pooler_output.float().cpu().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def image(self, paths: list[Path]) -> np.ndarray:
        parts = []
        for i in range(0, len(paths), BATCH):
            images = [Image.open(p).convert("RGB") for p in paths[i : i + BATCH]]
            pixels = self.processor(images=images, return_tensors="pt")["pixel_values"]
            out = self.model.get_image_features(pixel_values=pixels.to(self.device, self.dtype))
            parts.append(out.pooler_output.float().cpu().numpy())
        return np.concatenate(parts)

    def decode(self, paths: list[Path]) -> None:
        for path in paths:
            self.processor(images=[Image.open(path).convert("RGB")], return_tensors="pt")


def products(device: str, dtype: str) -> list[Work]:
    kind = getattr(torch, dtype)
    square = torch.randn(2048, 2048).to(device, kind)
    works: list[Work] = [lambda: square @ square]
    if device == "cpu":
        works.append(lambda: matmul(square, square))
    return works


def seconds(work: Work, device: str) -> float:
    started = time.perf_counter()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def cosines(ours: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    inner = (ours * expected).sum(1)
    found = inner / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    return {"least": round(float(found.min()), 6), "median": round(float(np.median(found)), 6)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="b-32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtypes", nargs="*", default=["float32"], help="of torch, ours and plain")
    parser.add_argument("--onnx", nargs="*", default=["float32", "int8"], help="its precisions")
    parser.add_argument("--batches", type=int, nargs="*", default=[], help="further sizes of ours")
    parser.add_argument("--parts", nargs="*", choices=["text", "image"], default=["text", "image"])
    parser.add_argument("--count", type=int, default=16, help="items")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    texts, paths, every = inputs(args.folder, args.count)
    tokenizer = learned_tokenizer(every)
    vocabulary = tokenizer.size
    device, onnx = args.device, args.onnx if args.device == "cpu" else []

    def encoder(dtype: str, runtime: str = "torch", size: Any = "auto") -> TwoTowerEncoder:
        towers = ClipTowers(model_of(args.size, vocabulary))
        parts = ModelParts(towers, tokenizer, ImagePreprocessing())
        settings = EncoderSettings(device=device, dtype=dtype, runtime=runtime, batch_size=size)
        return TwoTowerEncoder("random", parts, settings, workers=args.threads)

    plain = {d: Plain(model_of(args.size, vocabulary), tokenizer, device, d) for d in args.dtypes}
    ours = {d: encoder(d) for d in args.dtypes}
    ours |= {f"onnx {d}": encoder(d, "onnx") for d in onnx}
    ours |= {f"{d}, {n} at once": encoder(d, size=n) for d in args.dtypes for n in args.batches}
    preprocess, copied = ImagePreprocessing().crop_pixels, torch.randn(2**26).to(device)
    works: dict[str, Work] = {"copy": copied.clone}
    for d in args.dtypes:
        works |= {f"product {d} {i}": w for i, w in enumerate(products(device, d))}
    works["decode plain"] = lambda: next(iter(plain.values())).decode(paths)
    works["decode ours"] = lambda: list(decode_batches(paths, preprocess, BATCH, args.threads))
    for name, one in [*((f"plain {n}", e) for n, e in plain.items())]:
        works[f"text {name}"] = lambda e=one: e.text(texts)
        works[f"image {name}"] = lambda e=one: e.image(paths)
    for name, two in ours.items():
        works[f"text ours {name}"] = lambda e=two: e.encode_text(texts)
        works[f"image ours {name}"] = lambda e=two: e.encode_image(paths)
    works = {
        n: w for n, w in works.items() if n.split()[0] not in {"text", "image"} - {*args.parts}
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    results: dict[str, Any] = {}
    for turn in range(args.rounds + 1):
        for name, work in works.items():
            if turn == 0 and name.startswith(("text", "image")):
                results[name] = work()
            else:
                spent = seconds(work, device)
                if turn:
                    times[name].append(spent)
        print(f"round {turn} of {args.rounds}", file=sys.stderr)
    lengths = [min(len(t) + SPECIALS, LIMIT) for t in tokenizer.encode(list(dict.fromkeys(texts)))]
    report = summary(times, results, args, len(texts), lengths)
    report["batch_sizes"] = {n: e.batch_sizes for n, e in ours.items()}
    floors(report, times, ClipTowers(model_of(args.size, vocabulary)), args, lengths)
    print(json.dumps(report, indent=2))


def summary(
    times: dict[str, list[float]],
    results: dict[str, Any],
    args: argparse.Namespace,
    texts: int,
    lengths: list[int],
) -> dict[str, Any]:
    counts = {"text": texts, "image": args.count, "decode": args.count}
    rates, ratios, near = {}, {}, {}
    for name, spent in times.items():
        part, _, rest = name.partition(" ")
        if part not in counts:
            continue
        rates[name] = round(counts[part] / statistics.median(spent), 1)
        if not rest.startswith("ours"):
            continue
        dtype = next((d for d in args.dtypes if d in rest), args.dtypes[0])
        base = f"{part} plain" if part == "decode" else f"{part} plain {dtype}"
        each = [b / o for b, o in zip(times[base], spent, strict=True)]
        ratios[name] = round(statistics.median(each), 2)
        if name in results:
            near[name] = cosines(results[name], results[f"{part} plain {args.dtypes[0]}"])
    return {
        "settings": {k: str(v) for k, v in vars(args).items() if k != "folder"},
        "versions": {
            "python": platform.python_version(), "machine": platform.machine(),
            "torch": torch.__version__, "transformers": transformers.__version__,
            "onnxruntime": onnxruntime.__version__, "tokenizers": tokenizers.__version__,
        },
        "texts": texts,
        "distinct_texts": len(lengths),
        "tokens_of_a_distinct_text": round(statistics.mean(lengths), 1),
        "a_second": rates,
        "times_plain": ratios,
        "cosine_to_plain": near,
    }  # fmt: skip


def floors(
    report: dict[str, Any],
    times: dict[str, list[float]],
    towers: ClipTowers,
    args: argparse.Namespace,
    lengths: list[int],
) -> None:
    image, text = multiply_adds(towers, round(statistics.mean(lengths)))
    bandwidth = 2 * 4 * 2**26 / statistics.median(times["copy"])
    report["gigabytes_a_second"] = round(bandwidth / 1e9, 1)
    report["gflop"] = {"image": round(2 * image / 1e9, 2), "mean text": round(2 * text / 1e9, 2)}
    # Texts are shared: what is computed is the distinct ones.
    shared = report["texts"] / report["distinct_texts"]
    for dtype in args.dtypes:
        spent = [statistics.median(t) for n, t in times.items() if n.startswith(f"product {dtype}")]
        rate = 2 * 2048**3 / min(spent)
        size = torch.empty(0, dtype=getattr(torch, dtype)).element_size()
        weights = size * sum(p.numel() for p in towers.parameters())
        possible = {"image": rate / (2 * image), "text": shared * rate / (2 * text)}
        report[f"floor {dtype}"] = {
            "gflops": round(rate / 1e9, 1),
            "a_second": {part: round(possible[part], 1) for part in args.parts},
            "share_reached": {
                part: round(report["a_second"][f"{part} ours {dtype}"] / possible[part], 2)
                for part in args.parts
            },
            "seconds_to_read_the_weights": round(weights / bandwidth, 4),
        }


if __name__ == "__main__":
    main()
