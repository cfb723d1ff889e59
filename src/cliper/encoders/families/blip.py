"""BLIP's image-text retrieval model (Li et al. 2022, arXiv 2201.12086).

BLIP has two ways to compare a picture with a text: a matching head on both together, and the
contrastive projections of each alone (section 3.2, "ITC"). The latter are two towers, and are what
this encoder gives: both first tokens, projected, not normalised. The model is `transformers`'
`BlipForImageTextRetrieval`; captioning and question-answering BLIPs have no such projections.
"""

from typing import Any

import torch

from cliper.encoders.families.tokenizer_files import load_bert_tokenizer
from cliper.encoders.towers import Model, Towers, sides, text_limit, untold


class BlipTowers(Towers):
    """A `BlipForImageTextRetrieval`.

    Args:
        model: the two towers with their projections.
        limit: tokens that the tokeniser allows; None leaves it to the positions.
    """

    unused = ("itm_head",)
    model_class, processor = "BlipForImageTextRetrieval", "BlipImageProcessor"
    load_tokenizer = staticmethod(load_bert_tokenizer)
    wanted = "BLIP's retrieval model, e.g. Salesforce/blip-itm-base-coco"

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        super().__init__(
            model,
            width=int(model.config.image_text_hidden_size),
            max_tokens=text_limit(text.max_position_embeddings, limit),
            image_shape=sides(vision.image_size),
            settings=["blip", untold(text), untold(vision)],
            masked=True,
        )

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Ids and mask (b, L) to (b, D)."""
        hidden = self.model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        features: torch.Tensor = self.model.text_proj(hidden[:, 0])
        return features

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, H, W) to (b, D)."""
        hidden = self.model.vision_model(pixel_values=pixels).last_hidden_state
        features: torch.Tensor = self.model.vision_proj(hidden[:, 0])
        return features

    @classmethod
    def refusal(cls, config: Any) -> str | None:
        """Other BLIPs."""
        architectures = config.get("architectures") or [cls.model_class]
        if cls.model_class in architectures:
            return None
        return f"{', '.join(architectures)} has no features of text and image apart"
