"""Adapt an encoder to a generated shop, and look at retrieval before and after.

    python examples/adaptation.py [FOLDER]

Needs nothing but the installation: the encoder is a CLIP of 0.2 million random weights that knows
bytes for words, made here. It has learned nothing, so a projection can do little for it, and all
that LoRA finds comes from the shop's own 300 pairs. With a real CLIP the first column is far
better; the calls are the same. Takes half a minute on one core.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

from cliper.data import Dataset, prepare_files
from cliper.demo.shop import generate_shop
from cliper.encoders.adaptation import adaptation_config
from cliper.encoders.encode import encode_dataset
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.families.tokenizer_files import vocabulary_of
from cliper.encoders.settings import EncoderSettings
from cliper.experiments.drawing.adaptation import with_figure
from cliper.representation.represent import rendered_views

MEAN_AND_DEVIATION = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}


def main(folder: Path) -> None:
    """Do the whole job in `folder`."""
    dataset = shop(folder)
    encoder = random_clip(folder / "random-clip")
    views = rendered_views(dataset, include=["title", "categories", "brand"])
    for kind, settings in (
        ("projection", {}),
        ("lora", {"learning_rate": 5e-3, "max_epochs": 20}),
    ):
        reports: list[EncodeReport] = []
        chosen = EncoderSettings(name=str(encoder), adapt=adaptation_config(kind, **settings))
        encode_dataset(dataset, views, chosen, on_report=with_figure(reports.append))
        adaptation = reports[0].adaptation
        assert adaptation is not None
        print(adaptation.markdown())
        print(f"kept in {reports[0].adaptation_folder}\n")


def shop(folder: Path) -> Dataset:
    """300 generated products with rendered pictures."""
    raw = folder / "raw"
    generate_shop(raw, items=300, users=400, seed=0)
    return prepare_files(
        raw / "items.jsonl", raw / "interactions.csv", raw, folder / "dataset", keep_unbought=True
    )


def random_clip(folder: Path) -> Path:
    """A small CLIP as `transformers` saves them, for pictures of 64 x 64."""
    vocabulary = vocabulary_of([])
    end = len(vocabulary) - 1
    tower = {
        "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "projection_dim": 64,
    }  # fmt: skip
    text = {
        "vocab_size": end + 1, "bos_token_id": end - 1, "eos_token_id": end,
        "max_position_embeddings": 77, **tower,
    }  # fmt: skip
    vision = {"image_size": 64, "patch_size": 8, **tower}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=64)
    transformers.CLIPModel(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    preprocessing = {
        "image_processor_type": "CLIPImageProcessor", "do_resize": True, "do_center_crop": True,
        "do_rescale": True, "do_normalize": True, "rescale_factor": 1 / 255, "resample": 3,
        "size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64},
        **MEAN_AND_DEVIATION,
    }  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("out/adaptation"))
