"""Subword tokenisers as BERT's and SigLIP's families publish them, behind `TextTokenizer`."""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from cliper.errors import InputError
from cliper.files import read_json
from cliper.types import IndexArray, JsonObject

SETTINGS_FILE = "tokenizer_config.json"
Ids = Callable[[list[str]], Sequence[Sequence[int]]]

_PIECE = 4096  # texts tokenised at once: bounds the engine's own memory
_FIRST_TRY = 16  # characters a wanted token; more are tried where that was not enough
_SPACE = re.compile(r"\s")
_NO_LIMIT = 1_000_000  # what `transformers` writes where there is no limit is far beyond


@dataclass(frozen=True, eq=False)
class SubwordTokenizer:
    """Texts to token ids, without the special tokens.

    Attributes:
        ids: texts to ids; a subword never goes on across white space.
        before, after: ids of the special tokens around a text.
        pad: id of padding.
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
        """Texts (n) to n arrays of ids, int64; see `TextTokenizer`."""
        encoded: list[IndexArray] = []
        pending = iter(texts)
        while piece := [without_surrogates(text) for text in islice(pending, _PIECE)]:
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
            for i, text, ids in zip(todo, cut, self.ids(cut), strict=True):
                if len(ids) > keep or len(text) == len(texts[i]):
                    found[i] = np.array(ids, dtype=np.int64)
            todo = [
                i
                for i, text in zip(todo, cut, strict=True)
                if len(found[i]) <= keep and len(text) < len(texts[i])
            ]
            length *= 4
        return found


def without_surrogates(text: str) -> str:
    """The text with halves of UTF-16 pairs (JSON can smuggle one in) as question marks."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def read_settings(folder: Path) -> JsonObject:
    """`tokenizer_config.json` of a folder, or nothing.

    Raises:
        InputError: it is not an object.
    """
    path = folder / SETTINGS_FILE
    settings = read_json(path) if path.is_file() else {}
    if not isinstance(settings, dict):
        raise InputError("not an object", where=str(path))
    return settings


def special_token(settings: JsonObject, key: str, default: str) -> str:
    """A special token's text, which settings write bare or as an object."""
    value = settings.get(key) or default
    return str(value["content"] if isinstance(value, dict) else value)


def length_limit(settings: JsonObject) -> int | None:
    """`model_max_length`, None where it is missing or the placeholder for "no limit".

    >>> length_limit({"model_max_length": 64}), length_limit({"model_max_length": 10**30})
    (64, None)
    """
    limit = settings.get("model_max_length")
    return int(limit) if limit is not None and 0 < limit < _NO_LIMIT else None


def load_engine(path: Path) -> Tokenizer:
    """A `tokenizer.json`, without the padding and truncation it may ask for.

    A special token's name inside a text is plain text there.

    Raises:
        InputError: it cannot be read.
    """
    try:
        engine = Tokenizer.from_file(str(path))
    except Exception as error:  # the engine raises bare Exception
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"not a tokeniser: {reason}", where=str(path)) from None
    return plain(engine)


def plain(engine: Tokenizer) -> Tokenizer:
    """The engine without padding and truncation, special tokens' names being plain text."""
    engine.no_padding()
    engine.no_truncation()
    engine.encode_special_tokens = True
    return engine


def engine_tokenizer(
    engine: Tokenizer,
    *,
    before: Sequence[str],
    after: Sequence[str],
    pad: str,
    limit: int | None,
    where: str,
    prepare: tuple[str, Callable[[str], str]] | None = None,
) -> SubwordTokenizer:
    """A tokeniser over an engine of `tokenizers`.

    Args:
        engine: vocabulary, normalisation and splitting.
        before, after, pad: special tokens by name.
        limit: see `SubwordTokenizer`.
        where: the file, for messages.
        prepare: what is done to a text before, and a name of it that changes when it does.

    Raises:
        InputError: a special token is not in the vocabulary.
    """
    ids: dict[str, int] = {}
    for name in (*before, *after, pad):
        number = engine.token_to_id(name)
        if number is None:
            raise InputError(f"the vocabulary lacks {name}", where=where)
        ids[name] = number
    ready = prepare[1] if prepare else None

    def encode(texts: list[str]) -> list[list[int]]:
        if ready is not None:
            texts = [ready(text) for text in texts]
        return [one.ids for one in engine.encode_batch(texts, add_special_tokens=False)]

    return SubwordTokenizer(
        ids=encode,
        before=tuple(ids[name] for name in before),
        after=tuple(ids[name] for name in after),
        pad=ids[pad],
        hash=_hash(engine, ids, prepare[0] if prepare else None),
        size=engine.get_vocab_size(),
        limit=limit,
    )


def _hash(engine: Tokenizer, special: dict[str, int], prepared: str | None) -> str:
    state = json.loads(engine.to_str())
    model: JsonObject = state["model"]
    words, merges = model.pop("vocab"), model.pop("merges", [])
    rule: list[Any] = [model, state["normalizer"], state["pre_tokenizer"], special, prepared]
    digest = hashlib.sha256(json.dumps(rule, sort_keys=True).encode())
    # A quarter of a million words, and twice as many merges: text is made of them, not JSON.
    rows = sorted(words.items(), key=lambda pair: pair[1]) if isinstance(words, dict) else words
    digest.update("\n".join(f"{word}\t{value}" for word, value in rows).encode())
    digest.update("\0".join(m if isinstance(m, str) else " ".join(m) for m in merges).encode())
    return digest.hexdigest()


def _beginning(text: str, length: int) -> str:
    """About the first `length` characters, up to white space; all where there is none behind."""
    if len(text) <= length:
        return text
    space = _SPACE.search(text, length)
    return text if space is None else text[: space.start()].rstrip()
