"""SigLIP (Zhai et al. 2023, arXiv 2303.15343) and SigLIP 2 (arXiv 2502.14786) at fixed resolution.

Both are `transformers`' `SiglipModel`; they differ in their tokeniser. The text tower looks both
ways, has no attention mask, and is pooled at the last position: it was trained on texts padded to
its 64 positions and sees the padding, so every text is padded to them. Neither tower has a
projection of its own beyond the text tower's head.
"""

from typing import Any

import torch

from cliper.encoders.families.tokenizer_files import load_siglip_tokenizer
from cliper.encoders.towers import Model, Towers, sides, text_limit, untold


class SiglipTowers(Towers):
    """A `SiglipModel`.

    Args:
        model: the two towers.
        limit: tokens that the tokeniser allows; None leaves it to the positions.
    """

    model_class, processor = "SiglipModel", "SiglipImageProcessor"
    load_tokenizer = staticmethod(load_siglip_tokenizer)

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        tokens = text_limit(text.max_position_embeddings, limit)
        super().__init__(
            model,
            width=int(vision.hidden_size),
            max_tokens=tokens,
            image_shape=sides(vision.image_size),
            settings=["siglip", untold(text), untold(vision)],
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

    @classmethod
    def refusal(cls, config: Any) -> str | None:
        """Towers that do not end in one space."""
        text, vision = config.get("text_config") or {}, config.get("vision_config") or {}
        widths = (
            (text.get("projection_size") or text.get("hidden_size", 768)),
            vision.get("hidden_size", 768),
        )
        if vision.get("vision_use_head", True) and widths[0] == widths[1]:
            return None
        return f"the towers do not end in one space (no pooling head, or widths {widths})"
