"""Published models: tokenisers, configurations, weights; and pictures."""

import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as save_safetensors

from cliper.data.pictures import child
from cliper.encoders.families import load_folder
from cliper.encoders.families.open_clip_config import read_open_clip
from cliper.encoders.families.openai_layout import load_openai_layout
from cliper.encoders.families.tokenizer_files import (
    OPENAI_MERGES,
    load_bert_tokenizer,
    load_clip_tokenizer,
    load_siglip_tokenizer,
    vocabulary_of,
)
from cliper.encoders.preprocessing import load_preprocessing
from cliper.encoders.state_dicts import read_state_dict
from cliper.errors import CliperError
from generated.fuzz.reader import Read, Reader, reader

MERGES = [("t", "h"), ("th", "e</w>"), ("i", "n</w>")]


def model_readers() -> list[Reader]:
    """Of all of them."""
    paired = {
        "vocab.json": json.dumps(vocabulary_of(MERGES)).encode(),
        "merges.txt": ("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES)).encode(),
        "tokenizer_config.json": b'{"model_max_length": 77, '
        b'"bos_token": {"content": "<|startoftext|>"}, '
        b'"eos_token": "<|endoftext|>"}',
    }
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "shoe", "##s", "red"]
    bert = {
        "vocab.txt": "\n".join(words).encode() + b"\n",
        "tokenizer_config.json": b'{"do_lower_case": true, "cls_token": "[CLS]", '
        b'"model_max_length": 512}',
    }
    engine = {
        "tokenizer.json": _engine(paired),
        "tokenizer_config.json": bert["tokenizer_config.json"],
    }
    merged = gzip.compress(
        b"a header\n" + "".join(f"{a} {b}\n" for a, b in MERGES).encode(), mtime=0
    )
    tensors = {"a.weight": torch.ones(2, 3), "b": torch.arange(3)}
    return [
        reader("clip-tokenizer", paired, _tokenizer(load_clip_tokenizer), share=0.2),
        reader("clip-merges", {OPENAI_MERGES: merged}, _tokenizer(load_clip_tokenizer), share=0.2),
        reader("bert-tokenizer", bert, _tokenizer(load_bert_tokenizer), share=0.2),
        reader("engine-tokenizer", engine, _tokenizer(load_clip_tokenizer), share=0.5),
        reader(
            "siglip-tokenizer",
            {
                **engine,
                "tokenizer_config.json": b'{"eos_token": "<|endoftext|>", '
                b'"pad_token": {"content": "<|endoftext|>"}}',
            },
            _tokenizer(load_siglip_tokenizer),
            share=0.5,
        ),
        reader(
            "preprocessing",
            {
                "preprocessor_config.json": b'{"image_processor_type": '
                b'"CLIPImageProcessor", "size": {"shortest_edge": 224}, "crop_size": '
                b'{"height": 224, "width": 224}, "resample": 3, '
                b'"do_center_crop": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], '
                b'"image_std": [0.5, 0.5, 0.5], "rescale_factor": 0.00392}'
            },
            _preprocessing,
        ),
        reader(
            "open-clip-config",
            {
                "open_clip_config.json": b'{"model_cfg": {"embed_dim": 24, "vision_cfg": '
                b'{"layers": 2, "width": 48, "head_width": 16, "patch_size": 8, "image_size": 32}, '
                b'"text_cfg": {"context_length": 77, '
                b'"vocab_size": 49408, "width": 64, "heads": 4, "layers": 2}, "quick_gelu": true}, '
                b'"preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "interpolation": "bicubic"}}'
            },
            lambda path: _untold(path.parent),
        ),
        reader(
            "state-dicts",
            {"x.safetensors": save_safetensors(tensors), "x.pt": _pt({"state_dict": tensors})},
            read_state_dict,
        ),
        reader("openai-layout", {"x.safetensors": _tiny_openai()}, load_openai_layout, share=0.1),
        reader("model-folder", _tiny_folder(), lambda path: load_folder(path.parent), share=0.03),
        reader("pictures", picture_files(), _picture, share=0.7),
    ]


def _tokenizer(load: Callable[[Path], Any]) -> Read:
    def read(path: Path) -> object:
        found = load(path.parent)
        return found.encode(["the red shoes", "", "<|endoftext|> \u00e9"], keep=5)

    return read


def _engine(paired: dict[str, bytes]) -> bytes:
    """The `tokenizer.json` of the same tokeniser."""
    from cliper.encoders.families import tokenizer_files

    with tempfile.TemporaryDirectory() as folder:
        for name, data in paired.items():
            (Path(folder) / name).write_bytes(data)
        made = tokenizer_files._pair(Path(folder) / "merges.txt", {})
        return str(made.to_str()).encode()


def _preprocessing(path: Path) -> object:
    found = load_preprocessing(path.parent)
    shape, resize = found.shape, found.resize
    sizes = [*(shape or ()), *(resize if isinstance(resize, tuple) else (resize or 1,))]
    if max(sizes) > 4096:
        return None  # it does what the file says; nobody asks for that many pixels by accident
    pixels = found.crop_pixels(Image.new("RGB", (9, 7))).copy()
    return found.normalise(torch.from_numpy(pixels).permute(2, 0, 1)[None])


def _untold(folder: Path) -> object:
    untold, pictures = read_open_clip(folder)
    try:
        return untold.heads(48), untold.heads_of_text(64), pictures
    except ValueError as error:
        raise CliperError(str(error)) from None


def _pt(tree: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(tree, stream)
    return stream.getvalue()


def _tiny_model() -> Any:
    import transformers

    sizes = {"intermediate_size": 8, "num_hidden_layers": 1, "projection_dim": 4}
    config = transformers.CLIPConfig(
        text_config=dict(
            hidden_size=64,
            num_attention_heads=1,
            max_position_embeddings=8,
            vocab_size=len(vocabulary_of(MERGES)),
            eos_token_id=len(vocabulary_of(MERGES)) - 1,
            bos_token_id=0,
            **sizes,
        ),
        vision_config=dict(
            hidden_size=8, num_attention_heads=1, image_size=8, patch_size=4, **sizes
        ),
        projection_dim=4,
    )
    return transformers.CLIPModel(config).eval()


def _tiny_folder() -> dict[str, bytes]:
    from generated.fuzz.reader import files_of

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _tiny_model().save_pretrained(folder)
        for name, data in {
            "vocab.json": json.dumps(vocabulary_of(MERGES)).encode(),
            "merges.txt": ("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES)).encode(),
            "preprocessor_config.json": b'{"size": {"shortest_edge": 8}, "crop_size": 8}',
        }.items():
            (folder / name).write_bytes(data)
        return files_of(folder)


def _tiny_openai() -> bytes:
    """The smallest ViT in OpenAI's layout that has all of its tensors."""
    d, w = 4, 64
    names: dict[str, tuple[int, ...]] = {
        "text_projection": (w, d),
        "positional_embedding": (8, w),
        "token_embedding.weight": (16, w),
        "ln_final.weight": (w,),
        "ln_final.bias": (w,),
        "visual.proj": (w, d),
        "visual.class_embedding": (w,),
        "visual.positional_embedding": (5, w),
        "visual.conv1.weight": (w, 3, 4, 4),
        "logit_scale": (),
    }
    for at in ("visual.ln_pre", "visual.ln_post"):
        names |= {f"{at}.weight": (w,), f"{at}.bias": (w,)}
    for at in ("transformer.resblocks.0", "visual.transformer.resblocks.0"):
        names |= {
            f"{at}.attn.in_proj_weight": (3 * w, w),
            f"{at}.attn.in_proj_bias": (3 * w,),
            f"{at}.attn.out_proj.weight": (w, w),
            f"{at}.attn.out_proj.bias": (w,),
            f"{at}.ln_1.weight": (w,),
            f"{at}.ln_1.bias": (w,),
            f"{at}.ln_2.weight": (w,),
            f"{at}.ln_2.bias": (w,),
            f"{at}.mlp.c_fc.weight": (8, w),
            f"{at}.mlp.c_fc.bias": (8,),
            f"{at}.mlp.c_proj.weight": (w, 8),
            f"{at}.mlp.c_proj.bias": (w,),
        }
    return save_safetensors({name: torch.zeros(shape) for name, shape in names.items()})


def picture_files() -> dict[str, bytes]:
    """A picture of each format."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    image, files = Image.fromarray(pixels), {}
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF", "TIFF"):
        stream = io.BytesIO()
        image.save(stream, form)
        files[f"picture.{form.lower()}"] = stream.getvalue()
    stream = io.BytesIO()
    image.convert("L").save(stream, "PNG", transparency=3)
    files["grey.png"] = stream.getvalue()
    return files


def _picture(path: Path) -> object:
    """What the child process does, which may die of it where it is used."""
    data = path.read_bytes()
    for at_least in (child.ONLY_CHECK, 0):
        told, _ = child.read(data, at_least)
        if "refused" in told:
            raise CliperError(told["refused"])
    return told
