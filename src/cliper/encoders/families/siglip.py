"""SigLIP (Zhai et al. 2023, arXiv 2303.15343) and SigLIP 2 (arXiv 2502.14786) at fixed resolution.

Both are `transformers`' `SiglipModel`; they differ in their tokeniser. The text tower looks both
ways, has no attention mask, and is pooled at the last position: it was trained on texts padded to
its 64 positions and sees the padding, so every text is padded to them. Neither tower has a
projection of its own beyond the text tower's head.
"""

from pathlib import Path

import torch
import transformers

from cliper.encoders.families.configs import check_vocabulary, kept, sides, text_limit
from cliper.encoders.families.siglip_tokenizer import load_siglip_tokenizer
from cliper.encoders.families.weights import load_weights
from cliper.encoders.preprocessing import load_preprocessing
from cliper.encoders.towers import Model, Parts, Towers
from cliper.errors import InputError

_KEPT = ("hidden_act", "layer_norm_eps", "num_attention_heads")


class SiglipTowers(Towers):
    """A `SiglipModel`.

    Args:
        model: the two towers.
        limit: tokens that the tokeniser allows; None leaves it to the positions.
    """

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        tokens = text_limit(text.max_position_embeddings, limit)
        super().__init__(
            model,
            width=int(vision.hidden_size),
            max_tokens=tokens,
            image_shape=sides(vision.image_size),
            settings=["siglip", kept(text, *_KEPT), kept(vision, *_KEPT)],
            padded_to=tokens,
        )

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Ids (b, L) to (b, D); L is `padded_to`."""
        features: torch.Tensor = self.model.text_model(input_ids=ids).pooler_output
        return features

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, H, W) to (b, D)."""
        features: torch.Tensor = self.model.vision_model(pixel_values=pixels).pooler_output
        return features


def load(folder: Path) -> Parts:
    """Read a folder in `transformers`' layout; errors as `load_folder`."""
    tokenizer = load_siglip_tokenizer(folder)
    preprocessing = load_preprocessing(folder, "SiglipImageProcessor")
    model = load_weights(transformers.SiglipModel, folder)
    text, vision = model.config.text_config, model.config.vision_config
    check_vocabulary(tokenizer, text, where=str(folder))
    text_width = getattr(text, "projection_size", text.hidden_size)  # older configs have none
    if not getattr(vision, "vision_use_head", True) or text_width != vision.hidden_size:
        raise InputError(
            "the towers do not end in one space (no pooling head, or widths "
            f"{text_width} and {vision.hidden_size})",
            where=str(folder / "config.json"),
        )
    return Parts(SiglipTowers(model, tokenizer.limit), tokenizer, preprocessing)
