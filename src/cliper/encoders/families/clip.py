"""CLIP (Radford et al. 2021, arXiv 2103.00020) and its relatives of the same architecture.

The towers are `transformers`' `CLIPModel`. The text tower is causal and pooled at the end token, so
padding behind that token cannot reach the result and no mask is needed.
"""

from pathlib import Path

import torch
import transformers

from cliper.encoders.families.clip_tokenizer import ClipTokenizer, load_tokenizer
from cliper.encoders.families.weights import load_weights
from cliper.encoders.preprocessing import load_preprocessing
from cliper.encoders.towers import Model, Parts, Towers
from cliper.errors import InputError

# What shapes of tensors do not tell.
_KEPT = ("hidden_act", "layer_norm_eps", "num_attention_heads", "eos_token_id")


class ClipTowers(Towers):
    """A `CLIPModel` of any size and text length."""

    def __init__(self, model: Model) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        parts = [text.to_dict(), vision.to_dict()]
        super().__init__(
            model,
            width=int(model.config.projection_dim),
            max_tokens=int(text.max_position_embeddings),
            image_shape=(vision.image_size, vision.image_size),
            settings=[{key: part[key] for key in _KEPT if key in part} for part in parts],
        )

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Ids (b, L) to (b, D). Without a mask the fast kernels apply."""
        pooled = self.model.text_model(input_ids=ids).pooler_output
        features: torch.Tensor = self.model.text_projection(pooled)
        return features

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, H, W) to (b, D)."""
        pooled = self.model.vision_model(pixel_values=pixels).pooler_output
        features: torch.Tensor = self.model.visual_projection(pooled)
        return features


def load(folder: Path) -> Parts:
    """Read a folder in `transformers`' layout; errors as `load_folder`."""
    tokenizer, preprocessing = load_tokenizer(folder), load_preprocessing(folder)
    model = load_weights(transformers.CLIPModel, folder)
    check_tokenizer(tokenizer, model.config.text_config, where=str(folder))
    return Parts(ClipTowers(model), tokenizer, preprocessing)


def check_tokenizer(tokenizer: ClipTokenizer, text_config: Model, *, where: str) -> None:
    """Refuse a tokeniser that the text tower was not trained with (an `InputError`)."""
    largest = tokenizer.engine.get_vocab_size() - 1
    pooled_at, vocab_size = text_config.eos_token_id, text_config.vocab_size
    # End id 2 is a slip in early published configurations: transformers then pools at the
    # largest id instead, which is the end token's in CLIP's vocabulary.
    expected = largest if pooled_at == 2 else pooled_at
    if tokenizer.end != expected or largest >= vocab_size:
        raise InputError(
            f"the tokeniser ends texts with id {tokenizer.end} of {largest + 1}, the text tower "
            f"expects id {expected} of {vocab_size}",
            where=where,
            remedy="use the tokeniser that was published with the weights",
        )
