"""ALIGN (Jia et al. 2021, arXiv 2102.05918): an EfficientNet and a BERT.

The towers are `transformers`' `AlignModel`. The text's features are its first token's, projected;
the picture's are the EfficientNet's pooled ones, as wide as the projection.
"""

from pathlib import Path

import torch
import transformers

from cliper.encoders.families.bert_tokenizer import load_bert_tokenizer
from cliper.encoders.families.configs import check_shape, check_vocabulary, kept, text_limit
from cliper.encoders.families.weights import load_weights
from cliper.encoders.preprocessing import load_preprocessing
from cliper.encoders.towers import Model, Parts, Towers

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

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        super().__init__(
            model,
            width=int(model.config.projection_dim),
            max_tokens=text_limit(text.max_position_embeddings, limit or TRAINED_TOKENS),
            image_shape=None,  # convolutions and a mean take any
            settings=[
                "align",
                kept(text, "hidden_act", "layer_norm_eps", "num_attention_heads"),
                kept(vision, "hidden_act", "batch_norm_eps", "strides", "pooling_type")
                | kept(vision, "depthwise_padding"),
            ],
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


def load(folder: Path) -> Parts:
    """Read a folder in `transformers`' layout; errors as `load_folder`."""
    tokenizer = load_bert_tokenizer(folder)
    preprocessing = load_preprocessing(folder, "EfficientNetImageProcessor")
    check_shape(preprocessing, where=str(folder))
    model = load_weights(transformers.AlignModel, folder)
    check_vocabulary(tokenizer, model.config.text_config, where=str(folder))
    return Parts(AlignTowers(model, tokenizer.limit), tokenizer, preprocessing)
