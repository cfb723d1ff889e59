"""What happens to a text that is longer than the text tower's limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cliper.types import IndexArray

LongText = Literal["truncate", "chunk-mean"]


@dataclass(frozen=True)
class TextCounts:
    """What an encoder did with the texts it was given, summed over its calls.

    Attributes:
        texts: texts encoded, duplicates included.
        truncated: texts that lost their end to the limit.
        chunked: texts that were encoded as the mean of several chunks.
    """

    texts: int = 0
    truncated: int = 0
    chunked: int = 0

    def __add__(self, other: "TextCounts") -> "TextCounts":
        return TextCounts(
            self.texts + other.texts,
            self.truncated + other.truncated,
            self.chunked + other.chunked,
        )


def truncate(
    tokens: IndexArray, limit: int, *, before: Sequence[int], after: Sequence[int]
) -> IndexArray:
    """A text's ids within the limit, the special tokens included and the end token last.

    This is OpenAI's rule, and the paper's ("truncate", section 4.1): the last position that
    fits is overwritten by the end token, because the text is pooled there.

    >>> truncate(np.arange(5), 4, before=[90], after=[91]).tolist()
    [90, 0, 1, 91]
    """
    room = limit - len(before) - len(after)
    return np.concatenate((before, tokens[:room], after)).astype(np.int64)


def chunks(
    tokens: IndexArray, limit: int, *, before: Sequence[int], after: Sequence[int]
) -> list[IndexArray]:
    """A text's ids as consecutive chunks within the limit, each between its special tokens.

    The chunks are as equal in length as can be: the mean over chunks weighs each the same, and
    a last chunk of one leftover word would count as much as the whole beginning.

    >>> [c.tolist() for c in chunks(np.arange(5), 5, before=[90], after=[91])]
    [[90, 0, 1, 2, 91], [90, 3, 4, 91]]
    """
    pieces = max(1, -(-len(tokens) // (limit - len(before) - len(after))))
    parts = np.array_split(tokens, pieces)
    return [truncate(part, limit, before=before, after=after) for part in parts]


def limited(
    texts: Sequence[IndexArray],
    limit: int,
    rule: LongText,
    *,
    before: Sequence[int],
    after: Sequence[int],
) -> tuple[list[IndexArray], IndexArray]:
    """Sequences that fit, and for each the index of the text it belongs to (ascending)."""
    if rule == "truncate":
        cut = [truncate(tokens, limit, before=before, after=after) for tokens in texts]
        return cut, np.arange(len(cut), dtype=np.int64)
    parts = [chunks(tokens, limit, before=before, after=after) for tokens in texts]
    owners = np.repeat(np.arange(len(parts), dtype=np.int64), [len(p) for p in parts])
    return [chunk for part in parts for chunk in part], owners
