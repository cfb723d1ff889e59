"""Token sequences through a text tower without paying for padding.

In a causal tower a position sees only itself and what comes before it, and CLIP pools at the end
token, so padding after that token cannot reach the result: a batch may be trimmed to its longest
member, exactly. A tower that looks both ways gets a mask and may be trimmed as well. Batches of
similar lengths then waste almost nothing. Only a tower that was trained to see its padding
(SigLIP's) gets all of it, `padded_to`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from cliper import progress
from cliper.encoders.limits import LongText, TextCounts, limited
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.types import FloatArray, IndexArray

_SIMILAR = 0.75  # of the batch's longest
_SMALL = 8  # rows; below this a batch costs more than its padding


Forward = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
"""Ids and mask (b, longest; 1 a token, 0 padding; None where nothing is padded) to (b, D)."""


class TextPipeline:
    """Texts to rows: tokenised, cut to the tower's limit, equal ones once, in batches.

    Args:
        tokenizer: the tower's.
        forward: the tower.
        budget: asked for the tokens in one batch, padding included, when there is something to do.
        width: D.
        max_tokens: the longest text, special tokens included.
        long_text: what to do beyond it (`limits`).
        padded_to: every row is this long; None makes a batch as long as its longest row.

    Attributes:
        counts: what happened to the texts so far.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        forward: Forward,
        budget: Callable[[], int],
        *,
        width: int,
        max_tokens: int,
        long_text: LongText = "truncate",
        padded_to: int | None = None,
    ) -> None:
        self.tokenizer, self.counts = tokenizer, TextCounts()
        self._forward, self._budget, self._width = forward, budget, width
        self._max_tokens, self._long_text, self._padded_to = max_tokens, long_text, padded_to

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Texts (n) to rows (n, D), float32.

        Memory beyond the result: the distinct texts' ids and one batch.
        """
        if not texts:
            return np.zeros((0, self._width), dtype=np.float32)
        position = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        rows = np.array([position[text] for text in texts], dtype=np.int64)
        before, after = self.tokenizer.before, self.tokenizer.after
        room, cut = self._max_tokens - len(before) - len(after), self._long_text == "truncate"
        tokens = self.tokenizer.encode(list(position), keep=room if cut else None)
        sequences, owners = limited(
            tokens, self._max_tokens, self._long_text, before=before, after=after
        )
        embedded = encode_sequences(
            sequences, self._forward, width=self._width, pad=self.tokenizer.pad,
            budget=self._budget(), padded_to=self._padded_to,
        )  # fmt: skip
        over = int(np.array([len(t) > room for t in tokens])[rows].sum())
        self.counts += TextCounts(len(texts), over if cut else 0, 0 if cut else over)
        result: FloatArray = mean_by_owner(embedded, owners, len(tokens))[rows]
        return result


def length_batches(lengths: IndexArray, budget: int) -> Iterator[IndexArray]:
    """Indices in batches of similar lengths, longest first, each within a budget of tokens.

    Rows times the longest row stay within `budget`; a single longer row is a batch of its own.
    A batch also ends before a row shorter than 3/4 of its longest, unless it is still small: many
    short rows would fit the budget, but as padding. Longest first: if memory does not suffice,
    that shows at once.

    >>> [batch.tolist() for batch in length_batches(np.array([2, 9, 3, 3]), budget=9)]
    [[1], [2, 3, 0]]
    """
    order = np.argsort(-lengths, kind="stable")
    falling = -lengths[order]
    begin = 0
    while begin < len(order):
        longest = max(1, -int(falling[begin]))
        similar = int(np.searchsorted(falling, -_SIMILAR * longest, side="right")) - begin
        rows = max(1, min(budget // longest, max(similar, _SMALL)))
        yield order[begin : begin + rows].astype(np.int64)
        begin += rows


def padded(sequences: Sequence[IndexArray], pad: int, length: int | None = None) -> torch.Tensor:
    """Sequences (n) as one int64 tensor (n, longest), filled up with `pad` on the right.

    >>> padded([np.array([1, 2]), np.array([3])], pad=0).tolist()
    [[1, 2], [3, 0]]
    """
    width = max(len(s) for s in sequences) if length is None else length
    table = np.full((len(sequences), width), pad, dtype=np.int64)
    filled = np.arange(width) < np.array([len(s) for s in sequences])[:, None]
    table[filled] = np.concatenate(sequences)
    return torch.from_numpy(table)


def encode_sequences(
    sequences: Sequence[IndexArray],
    forward: Forward,
    *,
    width: int,
    pad: int,
    budget: int,
    padded_to: int | None = None,
) -> FloatArray:
    """Run every distinct sequence once; results (n, width), float32, in the order of the input.

    Args:
        sequences: token ids, special tokens included.
        forward: the tower.
        width: D.
        pad: the id that fills the shorter rows.
        budget: tokens in one batch, padding included.
        padded_to: every row is this long; None makes a batch as long as its longest row.
    """
    positions: dict[bytes, int] = {}
    distinct: list[IndexArray] = []
    which = np.empty(len(sequences), dtype=np.int64)
    for row, sequence in enumerate(sequences):
        key = sequence.tobytes()
        if key not in positions:
            positions[key] = len(distinct)
            distinct.append(sequence)
        which[row] = positions[key]
    out = np.zeros((len(distinct), width), dtype=np.float32)
    lengths = np.array([len(s) for s in distinct], dtype=np.int64)
    computed = lengths if padded_to is None else np.full_like(lengths, padded_to)
    with progress.task("encoding texts", total=len(distinct)) as task:
        for batch in length_batches(computed, budget):
            ids = padded([distinct[i] for i in batch], pad, padded_to)
            mask = _mask(lengths[batch], ids.shape[1])
            out[batch] = forward(ids, mask).float().cpu().numpy()
            task.advance(len(batch))
    return out[which]


def _mask(lengths: IndexArray, width: int) -> torch.Tensor | None:
    if bool((lengths == width).all()):
        return None
    filled = np.arange(width) < lengths[:, None]
    return torch.from_numpy(filled.astype(np.int64))


def mean_by_owner(rows: FloatArray, owners: IndexArray, count: int) -> FloatArray:
    """Means of consecutive rows that belong together: (n, D) and ascending owners to (count, D).

    >>> mean_by_owner(np.array([[1.0], [3.0], [5.0]], np.float32), np.array([0, 0, 1]), 2).tolist()
    [[2.0], [5.0]]
    """
    if count == len(rows):
        return rows
    sizes = np.bincount(owners, minlength=count)
    sums = np.add.reduceat(rows, np.concatenate(([0], np.cumsum(sizes)[:-1])), axis=0)
    means: FloatArray = (sums / sizes[:, None]).astype(np.float32)
    return means
