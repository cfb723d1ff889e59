"""Half precision against float32 at full depth, family by family.

Each family's towers at the size of its named model (256 wide vocabularies apart), with random
weights: published ones cannot be had everywhere. Batch normalisation takes its statistics from the
pictures first, so that activations have the size that a trained network keeps. The two packaged
networks (a BERT and an EfficientNet) are real. Pictures and texts are films where `--films` names
a folder with items.jsonl and images, else the demo's products.

What is reported is the smallest and the median cosine between the two precisions over rows.

    python benchmarks/encoder_precision.py --films ../shared/data/movielens-100k-posters
"""

import argparse
import gc
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from cliper.demo.shop import generate_shop
from cliper.encoders.efficientnet import EfficientNetLite
from cliper.encoders.families.align import AlignTowers
from cliper.encoders.families.blip import BlipTowers
from cliper.encoders.families.chinese_clip import ChineseClipTowers
from cliper.encoders.families.clip import ClipTowers
from cliper.encoders.families.clip_resnet import ClipResnet, ClipResnetTowers, ResnetShape
from cliper.encoders.families.siglip import SiglipTowers
from cliper.encoders.images import open_rgb
from cliper.encoders.minilm import MiniLM
from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.encoders.towers import Towers

WORDS = 2000  # a vocabulary's size changes no row
HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def clip(layers: int, width: int, patch: int, out: int, text_width: int) -> Towers:
    config = transformers.CLIPConfig(
        text_config={
            "hidden_size": text_width, "intermediate_size": 4 * text_width,
            "num_attention_heads": text_width // 64, "vocab_size": WORDS,
            "bos_token_id": WORDS - 2, "eos_token_id": WORDS - 1,
        },
        vision_config={
            "hidden_size": width, "intermediate_size": 4 * width, "patch_size": patch,
            "num_hidden_layers": layers, "num_attention_heads": width // 64,
        },
        projection_dim=out,
    )  # fmt: skip
    return ClipTowers(transformers.CLIPModel(config))


def resnet() -> Towers:
    text = transformers.CLIPTextConfig(
        vocab_size=WORDS, bos_token_id=WORDS - 2, eos_token_id=WORDS - 1, projection_dim=1024
    )
    return ClipResnetTowers(ClipResnet(ResnetShape((3, 4, 6, 3), 64, 224, 1024), text))


def siglip() -> Towers:
    config = transformers.SiglipConfig(text_config={"vocab_size": WORDS}, vision_config={})
    return SiglipTowers(transformers.SiglipModel(config))


def align() -> Towers:
    config = transformers.AlignConfig(
        text_config={"vocab_size": WORDS}, vision_config={"image_size": 289, "hidden_dim": 640}
    )
    return AlignTowers(transformers.AlignModel(config))


def blip() -> Towers:
    config = transformers.BlipConfig(
        text_config={"vocab_size": WORDS, "num_attention_heads": 12},
        vision_config={"initializer_range": 0.02},
    )
    return BlipTowers(transformers.BlipForImageTextRetrieval(config))


def chinese_clip() -> Towers:
    config = transformers.ChineseCLIPConfig(
        text_config={"vocab_size": WORDS}, vision_config={"patch_size": 16}
    )
    return ChineseClipTowers(transformers.ChineseCLIPModel(config))


FAMILIES: dict[str, Callable[[], Towers]] = {
    "clip-vit-b-32": lambda: clip(12, 768, 32, 512, 512),
    "clip-vit-l-14": lambda: clip(24, 1024, 14, 768, 768),
    "clip-rn50": resnet,
    "siglip2-b-16": siglip,
    "align": align,
    "blip": blip,
    "chinese-clip-b-16": chinese_clip,
}


def side_of(towers: Towers) -> int:
    return towers.image_shape[0] if towers.image_shape else 289


def token_ids(towers: Towers, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ids of many lengths with their mask, the largest id (CLIP's end) closing each."""
    generator = np.random.default_rng(0)
    limit = min(towers.max_tokens, 64)
    ids = torch.full((count, limit), WORDS - 1)
    mask = torch.zeros(count, limit, dtype=torch.long)
    for row, length in enumerate(generator.integers(4, limit, count)):
        ids[row, : length - 1] = torch.from_numpy(generator.integers(5, WORDS - 2, length - 1))
        mask[row, :length] = 1
    return ids, mask


@torch.inference_mode()
def calibrate(towers: Towers, pixels: torch.Tensor) -> None:
    norms = [m for m in towers.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    if norms:
        towers.image(pixels)
    towers.eval()


def cosines(ours: np.ndarray, expected: np.ndarray) -> dict[str, float]:
    inner = (ours * expected).sum(1)
    found = inner / np.linalg.norm(ours, axis=1) / np.linalg.norm(expected, axis=1)
    return {"least": round(float(found.min()), 6), "median": round(float(np.median(found)), 6)}


@torch.inference_mode()
def random_towers(name: str, pictures: list[Path]) -> dict[str, Any]:
    torch.manual_seed(0)
    towers = FAMILIES[name]().eval()
    side = side_of(towers)
    preprocessing = ImagePreprocessing(resize=(side, side), crop=None)
    stacked = np.stack([preprocessing.crop_pixels(open_rgb(path)) for path in pictures])
    pixels = preprocessing.normalise(torch.from_numpy(stacked).permute(0, 3, 1, 2))
    ids, mask = token_ids(towers, len(pictures))
    calibrate(towers, pixels)
    there = mask if towers.masked else None
    full = {"text": towers.text(ids, there).numpy(), "image": towers.image(pixels).numpy()}
    report: dict[str, Any] = {"millions": round(sum(p.numel() for p in towers.parameters()) / 1e6)}
    for dtype, half in HALVES.items():
        cast = towers.to(half)  # from float32 each time: bfloat16 is exact in no float16
        ours = {
            "text": cast.text(ids, there).float().numpy(),
            "image": cast.image(pixels.to(half)).float().numpy(),
        }
        report[dtype] = {part: cosines(ours[part], full[part]) for part in full}
        if dtype == "bfloat16":
            torch.manual_seed(0)
            towers = FAMILIES[name]().eval()
            calibrate(towers, pixels)
    return report


def packaged(texts: list[str], pictures: list[Path]) -> dict[str, Any]:
    report: dict[str, Any] = {}
    text = MiniLM().encode_text(texts)
    image, _ = EfficientNetLite().encode_image(pictures)
    for dtype, half in HALVES.items():
        report[dtype] = {
            "text": cosines(MiniLM(dtype=half).encode_text(texts), text),
            "image": cosines(EfficientNetLite(dtype=half).encode_image(pictures)[0], image),
        }
    return report


def inputs(films: Path | None, count: int) -> tuple[list[str], list[Path]]:
    if films is None:
        films = Path(tempfile.mkdtemp())
        generate_shop(films, items=max(24, count + 4), users=1)
    lines = (films / "items.jsonl").read_text("utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row.get("image")][:count]
    texts = [f"{row.get('title')}. {row.get('description')}" for row in rows]
    return texts, [films / row["image"] for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--films", type=Path, help="a folder with items.jsonl and images")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=[*FAMILIES, "packaged"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    texts, pictures = inputs(arguments.films, arguments.count)
    report: dict[str, Any] = {}
    if arguments.only in (None, "packaged"):
        report["packaged"] = packaged(texts, pictures)
    for name in FAMILIES:
        if arguments.only in (None, name):
            report[name] = random_towers(name, pictures)
            gc.collect()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
