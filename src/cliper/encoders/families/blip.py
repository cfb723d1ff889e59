"""BLIP's image-text retrieval model (Li et al. 2022, arXiv 2201.12086).

BLIP has two ways to compare a picture with a text: a matching head on both together, and the
contrastive projections of each alone (section 3.2, "ITC"). The latter are two towers, and are what
this encoder gives: both first tokens, projected, not normalised. The model is `transformers`'
`BlipForImageTextRetrieval`; captioning and question-answering BLIPs have no such projections.
"""

from pathlib import Path

import torch
import transformers

from cliper.encoders.families.bert_tokenizer import load_bert_tokenizer
from cliper.encoders.families.configs import check_vocabulary, kept, sides, text_limit
from cliper.encoders.families.weights import load_weights
from cliper.encoders.preprocessing import load_preprocessing
from cliper.encoders.towers import Model, Parts, Towers
from cliper.errors import InputError
from cliper.files import read_json

_KEPT = ("hidden_act", "layer_norm_eps", "num_attention_heads")
_ARCHITECTURE = "BlipForImageTextRetrieval"


class BlipTowers(Towers):
    """A `BlipForImageTextRetrieval`.

    Args:
        model: the two towers with their projections.
        limit: tokens that the tokeniser allows; None leaves it to the positions.
    """

    unused = ("itm_head",)

    def __init__(self, model: Model, limit: int | None = None) -> None:
        text, vision = model.config.text_config, model.config.vision_config
        super().__init__(
            model,
            width=int(model.config.image_text_hidden_size),
            max_tokens=text_limit(text.max_position_embeddings, limit),
            image_shape=sides(vision.image_size),
            settings=["blip", kept(text, *_KEPT), kept(vision, *_KEPT)],
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


def load(folder: Path) -> Parts:
    """Read a folder in `transformers`' layout; errors as `load_folder`."""
    architectures = read_json(folder / "config.json").get("architectures") or [_ARCHITECTURE]
    if _ARCHITECTURE not in architectures:
        raise InputError(
            f"{', '.join(architectures)} has no features of text and image apart",
            where=str(folder / "config.json"),
            remedy="BLIP's retrieval model is needed, e.g. Salesforce/blip-itm-base-coco",
        )
    tokenizer = load_bert_tokenizer(folder)
    preprocessing = load_preprocessing(folder, "BlipImageProcessor")
    model = load_weights(transformers.BlipForImageTextRetrieval, folder)
    check_vocabulary(tokenizer, model.config.text_config, where=str(folder))
    return Parts(BlipTowers(model, tokenizer.limit), tokenizer, preprocessing)
