"""Encodings with a known answer, and a small catalogue whose pictures show what its texts say."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import transformers
from PIL import Image, ImageDraw

from cliper.data.catalogue import Catalogue
from cliper.data.dataset import Dataset
from cliper.data.interactions import Interactions
from cliper.data.vocabulary import Vocabulary
from cliper.encoders.base import Encodings
from cliper.encoders.families.tokenizer_files import vocabulary_of

COLOURS = ("red", "green", "blue", "yellow", "white", "black")
SHAPES = ("square", "disc")


def rotated(n: int = 1000, width: int = 16, seed: int = 0, noise: float = 0.1) -> Encodings:
    """Two views that are noisy copies of a latent, pictures that are the latent turned about."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, width))
    text = latent + noise * rng.normal(size=(2, n, width))
    image = latent @ np.linalg.qr(rng.normal(size=(width, width)))[0]
    present = rng.random((2, n)) > 0.1
    image_present = rng.random(n) > 0.05
    return Encodings(
        "items", "toy", "key", ("title", "brand"),
        (text * present[..., None]).astype(np.float32), present,
        (image * image_present[:, None]).astype(np.float32), image_present,
    )  # fmt: skip


@dataclass
class Views:
    names: tuple[str, ...]
    texts: list[list[str | None]]
    whole: list[str | None]


def coloured(folder: Path, n: int, seed: int = 0) -> tuple[Dataset, Views]:
    """N items: a coloured shape on a coloured ground, said in the title; item 3's file is broken,
    item 4 has no picture, item 5 no text."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    titles: list[str | None] = []
    shapes: list[str | None] = []
    for i in range(n):
        colour, ground = (COLOURS[k] for k in rng.integers(0, len(COLOURS), 2))
        shape = SHAPES[rng.integers(0, 2)]
        image = Image.new("RGB", (32, 32), ground)
        draw = ImageDraw.Draw(image)
        box = (*rng.integers(4, 9, 2).tolist(), *rng.integers(22, 28, 2).tolist())
        (draw.rectangle if shape == "square" else draw.ellipse)(box, fill=colour)
        image.save(folder / "images" / f"{i}.png")
        titles.append(f"{colour} on {ground}")
        shapes.append(f"a {shape}")
    (folder / "images" / "3.png").write_bytes(b"not a picture")
    titles[5] = shapes[5] = None
    items = Vocabulary([f"i{i}" for i in range(n)])
    images = tuple(None if i == 4 else f"images/{i}.png" for i in range(n))
    catalogue = Catalogue(items, pa.table({"title": titles, "shape": shapes}), images, folder)
    none = np.zeros(0, np.int64)
    dataset = Dataset(
        "coloured", Interactions(Vocabulary(["u"]), items, none, none), catalogue, folder
    )
    return dataset, Views(("title", "shape"), [titles, shapes], titles)


def tiny_clip(folder: Path, seed: int = 0, hidden: int = 32, layers: int = 2) -> Path:
    """A random CLIP that knows bytes for words, saved as published ones are."""
    vocabulary = vocabulary_of([])
    sizes = {
        "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": layers,
        "num_attention_heads": 4, "projection_dim": 24,
    }  # fmt: skip
    end = len(vocabulary) - 1
    config = transformers.CLIPConfig(
        text_config=dict(
            vocab_size=len(vocabulary), eos_token_id=end, bos_token_id=end - 1,
            max_position_embeddings=32, **sizes,
        ),
        vision_config=dict(image_size=16, patch_size=4, **sizes),
        projection_dim=24,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.CLIPModel(config).eval()
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    preprocessing = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "do_center_crop": True,
        "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, "resample": 3,
        "size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16},
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25],
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return folder
