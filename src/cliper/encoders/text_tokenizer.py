"""`TextTokenizer`: one adapter over every family's tokeniser, from texts to token ids."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from cliper.data.vocabulary import check_unicode
from cliper.errors import InputError
from cliper.types import IndexArray, JsonObject

Ids = Callable[[list[str]], Sequence[Sequence[int]]]

MOST_TOKENS = 2**22
"""Ids of a vocabulary; the engine makes a place for each, and dies where there is no memory."""
_PIECE = 4096  # texts tokenised at once: bounds the engine's own memory
_FIRST_TRY = 16  # characters a wanted token; more are tried where that was not enough
_SPACE = re.compile(r"\s")
_NO_LIMIT = 1_000_000  # what `transformers` writes where there is no limit is far beyond


@dataclass(frozen=True, eq=False)
class TextTokenizer:
    """Texts to token ids, and what belongs around them.

    Attributes:
        ids: texts to ids, without special tokens; a subword never goes on across white space.
        before, after: ids of the special tokens around a text.
        pad: the id that fills up shorter rows of a batch.
        hash: hex SHA-256 over everything that decides the ids.
        size: entries of the vocabulary.
        limit: tokens that its own settings allow, special ones included; None where they set none.
    """

    ids: Ids
    before: tuple[int, ...]
    after: tuple[int, ...]
    pad: int
    hash: str
    size: int
    limit: int | None

    def encode(self, texts: Sequence[str], *, keep: int | None = None) -> list[IndexArray]:
        """Texts (n) to n int64 arrays of ids, without the special tokens.

        A special token's name inside a text is plain text: a description that quotes
        `<|endoftext|>` does not end there.

        Args:
            texts: any Unicode; the empty text gives an empty array.
            keep: promise that only the first `keep` ids matter, and whether there are more. Very
                long texts are then cut before the work; those first ids are unaffected.
        """
        encoded: list[IndexArray] = []
        pending = iter(texts)
        while piece := [_without_surrogates(text) for text in islice(pending, _PIECE)]:
            if keep is None:
                encoded.extend(np.array(ids, dtype=np.int64) for ids in self.ids(piece))
            else:
                encoded.extend(self._beginnings(piece, keep))
        return encoded

    def _beginnings(self, texts: list[str], keep: int) -> list[IndexArray]:
        # A beginning that ends at white space has the whole text's first tokens. How many
        # characters make `keep + 1` tokens has no bound (one unknown word is one token), so
        # whatever falls short is tried again with more.
        found: list[IndexArray] = [np.empty(0, np.int64)] * len(texts)
        todo, length = list(range(len(texts))), _FIRST_TRY * (keep + 1)
        while todo:
            cut = [_beginning(texts[i], length) for i in todo]
            short = []
            for i, text, ids in zip(todo, cut, self.ids(cut), strict=True):
                if len(ids) > keep or len(text) == len(texts[i]):
                    found[i] = np.array(ids, dtype=np.int64)
                else:
                    short.append(i)
            todo, length = short, 4 * length
        return found


def engine_tokenizer(
    engine: Tokenizer,
    settings: JsonObject,
    *,
    before: Sequence[tuple[str, str]],
    after: Sequence[tuple[str, str]],
    pad: tuple[str, str],
    where: str,
    prepare: tuple[str, Callable[[str], str]] | None = None,
) -> TextTokenizer:
    """A tokeniser over an engine of `tokenizers`.

    Args:
        engine: vocabulary, normalisation and splitting; the padding and truncation that it may
            ask for are left out.
        settings: of a `tokenizer_config.json`, or none.
        before, after, pad: special tokens, each as its key in `settings` and its usual name.
        where: the file, for messages.
        prepare: a name, and what it does to a text first; the name changes when that does.

    Raises:
        InputError: a special token is not in the vocabulary.
    """
    if max(engine.get_vocab().values(), default=0) >= MOST_TOKENS:
        raise InputError(f"a token has a number of {MOST_TOKENS:,} or more", where=where)
    engine.no_padding()
    engine.no_truncation()
    engine.encode_special_tokens = True  # as plain text
    found: list[int] = []
    for key, usual in (*before, *after, pad):
        token = special_token(settings, key, usual)
        number = engine.token_to_id(token)
        if number is None:
            raise InputError(f"the vocabulary lacks {token}", where=where)
        found.append(number)
    name, ready = prepare or ("", None)

    def encode(texts: list[str]) -> list[list[int]]:
        if ready is not None:
            texts = [ready(text) for text in texts]
        return [one.ids for one in engine.encode_batch(texts, add_special_tokens=False)]

    return TextTokenizer(
        ids=encode,
        before=tuple(found[: len(before)]),
        after=tuple(found[len(before) : -1]),
        pad=found[-1],
        hash=_hash(engine, [found, name]),
        size=engine.get_vocab_size(),
        limit=length_limit(settings),
    )


def special_token(settings: JsonObject, key: str, usual: str) -> str:
    """A special token's text, which settings write bare or as an object."""
    value = settings.get(key) or usual
    text = str(value.get("content", usual) if isinstance(value, dict) else value)
    check_unicode(text, key)
    return text


def length_limit(settings: JsonObject) -> int | None:
    """`model_max_length`, None where it is missing or the placeholder for "no limit".

    >>> length_limit({"model_max_length": 64}), length_limit({"model_max_length": 10**30})
    (64, None)
    """
    limit = settings.get("model_max_length")
    return int(limit) if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT else None


def _hash(engine: Tokenizer, others: Any) -> str:
    state = json.loads(engine.to_str())
    parts = ("normalizer", "pre_tokenizer", "added_tokens", "model")
    rule = json.dumps([*(state[part] for part in parts), others], sort_keys=True)
    return hashlib.sha256(rule.encode()).hexdigest()


def _without_surrogates(text: str) -> str:
    # Half a UTF-16 pair (JSON can smuggle one in) is no text; the engine would refuse the batch.
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _beginning(text: str, length: int) -> str:
    """About the first `length` characters, up to white space; all where there is none behind."""
    if len(text) <= length:
        return text
    space = _SPACE.search(text, length)
    return text if space is None else text[: space.start()].rstrip()
