"""`Towers`: what a family gives to the encoder, two towers behind two functions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.encoders.text_tokenizer import TextTokenizer

Model = Any
"""A model of `transformers`, whose own annotations differ between versions."""

_BOOKKEEPING = ("position_ids", "token_type_ids", "num_batches_tracked")
# What shapes of tensors do not tell, of either tower.
_UNTOLD = ("hidden_act", "layer_norm_eps", "num_attention_heads", "eos_token_id")


class Towers(nn.Module):
    """A text tower and an image tower into one space R^D; one subclass a family.

    Args:
        model: the family's network, both towers and their projections.
        width: D.
        max_tokens: the longest text, special tokens included.
        image_shape: (height, width) that the image tower expects, None where any will do.
        settings: what decides the numbers besides the weights, for the encoder's hash.
        padded_to: texts always have this many tokens (a tower that was trained on its padding
            sees it); None lets a batch be as long as its longest text, which must then be exact.
        masked: `text` needs to know which tokens are padding.

    Attributes:
        unused: beginnings of names of tensors that no embedding depends on.
        too_coarse: precisions in which rows stray from float32 by more than a cosine of 0.999.
        model_class, processor: how `families.load_folder` reads a folder in `transformers`'
            layout: the network's class there, and the usual image processor.
        wanted: what is needed where `refusal` refuses a folder.
    """

    unused: ClassVar[tuple[str, ...]] = ("logit_scale", "logit_bias")
    too_coarse: ClassVar[tuple[str, ...]] = ()
    model_class: ClassVar[str]
    processor: ClassVar[str]
    wanted: ClassVar[str] = "another model of this family"

    def __init__(
        self,
        model: Model,
        *,
        width: int,
        max_tokens: int,
        image_shape: tuple[int, int] | None,
        settings: Any,
        padded_to: int | None = None,
        masked: bool = False,
    ) -> None:
        super().__init__()
        self.model = model
        self.width = width
        self.max_tokens = max_tokens
        self.image_shape = image_shape
        self.settings = settings
        self.padded_to = padded_to
        self.masked = masked

    def text(self, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Token ids (b, L) to projected features (b, D), not normalised.

        Args:
            ids: int64, on the towers' device.
            mask: int64 (b, L), 1 for a token and 0 for padding; None where there is none.
        """
        raise NotImplementedError

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pictures (b, 3, H, W) to projected features (b, D), not normalised."""
        raise NotImplementedError

    def used_tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and tensors that an embedding depends on, in order of their names."""
        for name, tensor in sorted(self.model.state_dict().items()):
            if not name.startswith(self.unused) and not name.endswith(_BOOKKEEPING):
                yield name, tensor

    @staticmethod
    def load_tokenizer(folder: Path) -> TextTokenizer:
        """The tokeniser of a folder in `transformers`' layout."""
        raise NotImplementedError

    @classmethod
    def refusal(cls, config: Any) -> str | None:
        """Why a `config.json` of this `model_type` is none of these towers; None where it is."""
        return None

    def check_tokenizer(self, tokenizer: TextTokenizer) -> None:
        """Refuse a tokeniser that the text tower was not trained with (a `ValueError`)."""
        words = self.model.config.text_config.vocab_size
        if tokenizer.size > words:
            raise ValueError(f"the tokeniser has {tokenizer.size} words, the text tower {words}")


class ModelParts(NamedTuple):
    """What a model's files hold: the towers, and what their inputs go through."""

    towers: Towers
    tokenizer: TextTokenizer
    preprocessing: ImagePreprocessing


def untold(config: Any, *more: str) -> dict[str, Any]:
    """The settings that tensors' shapes do not tell, of one tower's configuration.

    Args:
        config: a configuration of `transformers`.
        more: further settings of this family.
    """
    return {key: getattr(config, key) for key in (*_UNTOLD, *more) if hasattr(config, key)}


def sides(size: Any) -> tuple[int, int]:
    """A configuration's image size, one number or two.

    >>> sides(224), sides([224, 196])
    ((224, 224), (224, 196))
    """
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return int(height), int(width)


def text_limit(*limits: int | None) -> int:
    """The smallest limit that is set: the model's positions, its tokeniser's, its training's.

    >>> text_limit(512, None, 64)
    64
    """
    return min(int(limit) for limit in limits if limit is not None)
