"""Chinese-CLIP (Yang et al. 2022, arXiv 2211.01335): CLIP's image tower and a Chinese BERT.

The towers are `transformers`' `ChineseCLIPModel`. The text's features are its first token's,
projected. It was trained on texts of at most 52 tokens; the positions behind those exist (they are
BERT's) and never met a picture, so 52 is the limit.
"""

import torch

from cliper.encoders.families.tokenizer_files import load_bert_tokenizer
from cliper.encoders.towers import Model, Towers, sides, text_limit, untold

TRAINED_TOKENS = 52  # its own code's context length


class ChineseClipTowers(Towers):
    """A `ChineseCLIPModel`.

    Args:
        model: the two towers with their projections.
        limit: tokens that the tokeniser allows; never more than 52.
    """

    model_class, processor = "ChineseCLIPModel", "ChineseCLIPImageProcessor"
    load_tokenizer = staticmethod(load_bert_tokenizer)

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        super().__init__(
            model,
            width=int(model.config.projection_dim),
            max_tokens=text_limit(text.max_position_embeddings, limit, TRAINED_TOKENS),
            image_shape=sides(vision.image_size),
            settings=["chinese_clip", untold(text), untold(vision)],
            masked=True,
        )

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Ids and mask (b, L) to (b, D)."""
        hidden = self.model.text_model(input_ids=ids, attention_mask=mask).last_hidden_state
        features: torch.Tensor = self.model.text_projection(hidden[:, 0])
        return features

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, H, W) to (b, D)."""
        pooled = self.model.vision_model(pixel_values=pixels).pooler_output
        features: torch.Tensor = self.model.visual_projection(pooled)
        return features
