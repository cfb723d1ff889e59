"""CLIP (Radford et al. 2021, arXiv 2103.00020) and its relatives of the same architecture.

The towers are `transformers`' `CLIPModel`. The text tower is causal and pooled at the end token, so
padding behind that token cannot reach the result and no mask is needed.
"""

from typing import Any

import torch

from cliper.encoders.families.tokenizer_files import load_clip_tokenizer
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.encoders.towers import Model, Towers, sides, untold


class ClipTowers(Towers):
    """A `CLIPModel` of any size and text length.

    Args:
        model: the two towers with their projections.
        limit: of the tokeniser, which the positions of a causal tower make needless.
    """

    model_class, processor = "CLIPModel", "CLIPImageProcessor"
    load_tokenizer = staticmethod(load_clip_tokenizer)

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        super().__init__(
            model,
            width=int(model.config.projection_dim),
            max_tokens=int(text.max_position_embeddings),
            image_shape=sides(vision.image_size),
            settings=["clip", untold(text), untold(vision)],
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

    def check_tokenizer(self, tokenizer: TextTokenizer) -> None:
        """Refuse one that ends texts with another token than the tower pools at as well."""
        check_end(tokenizer, self.model.config.text_config)


def check_end(tokenizer: TextTokenizer, text_config: Any) -> None:
    """Refuse a tokeniser that CLIP's text tower was not trained with (a `ValueError`)."""
    largest, (end,) = tokenizer.size - 1, tokenizer.after
    # End id 2 is a slip in early published configurations: transformers then pools at the
    # largest id instead, which is the end token's in CLIP's vocabulary.
    expected = largest if text_config.eos_token_id == 2 else text_config.eos_token_id
    if end != expected or largest >= text_config.vocab_size:
        raise ValueError(
            f"the tokeniser ends texts with id {end} of {largest + 1}, the text tower "
            f"expects id {expected} of {text_config.vocab_size}"
        )
