"""Pictures a second: the packaged network in a naive loop, and ours, interleaved in one process.

    python benchmarks/image_encoder.py FOLDER_OF_IMAGES [--count 256] [--rounds 3] [--threads 2]

Three rates, in pictures a second, the best of the interleaved rounds each:

- naive: open, convert, resize, one picture at a time through the network as its package builds it;
- ours: decoding in threads, normalisation folded, channels-last, micro-batches of eight;
- forward: ours without decoding.

The floor is what the network's multiplications cost at the machine's matrix-product rate, which is
measured in the same rounds: nothing that computes these convolutions exactly can be faster.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cliper.encoders.efficientnet import EfficientNetLite, crop_pixels, load_plain, normalise
from cliper.encoders.images import open_rgb

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def multiplications(network: torch.nn.Module) -> int:
    """Multiply-adds of one picture's forward pass, counted at every convolution."""
    total = 0

    def count(layer: torch.nn.Conv2d, _: object, out: torch.Tensor) -> None:
        nonlocal total
        total += out[0].numel() * layer.weight[0].numel()

    hooks = [
        layer.register_forward_hook(count)
        for layer in network.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    with torch.inference_mode():
        network.extract_features(torch.zeros(1, 3, 224, 224))
    for hook in hooks:
        hook.remove()
    return total


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    files = sorted(p for p in args.folder.iterdir() if p.suffix.lower() in SUFFIXES)[: args.count]
    ours = EfficientNetLite(workers=args.threads)
    plain = load_plain(ours.weights)
    few = files[: max(1, len(files) // 8)]
    pixels = torch.from_numpy(np.stack([crop_pixels(open_rgb(p)) for p in few]))
    pixels = pixels.permute(0, 3, 1, 2)
    square = torch.randn(2048, 2048)

    def naive() -> None:
        with torch.inference_mode():
            for path in few:
                image = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
                x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].contiguous()
                plain.extract_features(normalise(x)).mean((2, 3))

    works: dict[str, tuple[Callable[[], object], float]] = {
        "naive": (naive, len(few)),
        "ours": (lambda: ours.encode_image(files), len(files)),
        "forward": (lambda: ours.forward(pixels), len(few)),
        "gemm": (lambda: square @ square, 2 * 2048**3 / 1e9),
    }
    ours.encode_image(files[:8])
    best: dict[str, float] = {}
    for _ in range(args.rounds):
        for name, (work, amount) in works.items():
            best[name] = max(best.get(name, 0.0), amount / seconds(work))
    giga = 2 * multiplications(plain) / 1e9
    floor = best["gemm"] / giga
    result = {
        "images": len(files),
        "threads": args.threads,
        "naive_images_per_second": round(best["naive"], 1),
        "ours_images_per_second": round(best["ours"], 1),
        "forward_images_per_second": round(best["forward"], 1),
        "floor_images_per_second": round(floor, 1),
        "gemm_gflops": round(best["gemm"], 1),
        "gflop_per_image": round(giga, 3),
        "ours_over_naive": round(best["ours"] / best["naive"], 2),
        "floor_over_ours": round(floor / best["ours"], 2),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
