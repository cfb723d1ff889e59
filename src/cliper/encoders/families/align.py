"""ALIGN (Jia et al. 2021, arXiv 2102.05918): an EfficientNet and a BERT.

The towers are `transformers`' `AlignModel`. The text's features are its first token's, projected;
the picture's are the EfficientNet's pooled ones, as wide as the projection.
"""

import torch

from cliper.encoders.families.tokenizer_files import load_bert_tokenizer
from cliper.encoders.towers import Model, Towers, text_limit, untold

TRAINED_TOKENS = 64  # section 5 of the paper; the positions go on to BERT's 512


class AlignTowers(Towers):
    """An `AlignModel`.

    Args:
        model: the two towers.
        limit: tokens that the tokeniser allows; 64 where it does not say.
    """

    unused = ("temperature", "text_model.pooler")
    # Its 8 bits are lost over dozens of convolutions (results/encoder-precision.md).
    too_coarse = ("bfloat16",)
    model_class, processor = "AlignModel", "EfficientNetImageProcessor"
    load_tokenizer = staticmethod(load_bert_tokenizer)

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        convolutions = ("batch_norm_eps", "strides", "pooling_type", "depthwise_padding")
        super().__init__(
            model,
            width=int(model.config.projection_dim),
            max_tokens=text_limit(text.max_position_embeddings, limit or TRAINED_TOKENS),
            image_shape=None,  # convolutions and a mean take any
            settings=["align", untold(text), untold(vision, *convolutions)],
            masked=True,
        )

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Ids and mask (b, L) to (b, D)."""
        hidden = self.model.text_model(input_ids=ids, attention_mask=mask).last_hidden_state
        features: torch.Tensor = self.model.text_projection(hidden[:, 0])
        return features

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels (b, 3, H, W) to (b, D)."""
        features: torch.Tensor = self.model.vision_model(pixel_values=pixels).pooler_output
        return features
