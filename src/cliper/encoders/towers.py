"""`Towers`: what a family gives to the encoder, two towers behind two functions."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.encoders.text_tokenizer import TextTokenizer

Model = Any
"""A model of `transformers`, whose own annotations differ between versions."""


_BOOKKEEPING = ("position_ids", "token_type_ids", "num_batches_tracked")


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
    """

    unused: tuple[str, ...] = ("logit_scale", "logit_bias")
    too_coarse: tuple[str, ...] = ()

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


class Parts(NamedTuple):
    """What a model's files hold: the towers, and what their inputs go through."""

    towers: Towers
    tokenizer: TextTokenizer
    preprocessing: ImagePreprocessing
