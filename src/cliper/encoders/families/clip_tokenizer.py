"""CLIP's byte-pair tokeniser, read from whichever files a model comes with.

The rule (Radford et al. 2021, section 2.4, and the vocabulary that OpenAI published): lower-cased
text, white space collapsed, split into words, each word's UTF-8 bytes merged by 48,894 learned
merges. The vocabulary follows from the merges alone (`vocabulary_of`), so one merges file is
enough. `tokenizers` does the work; it is the same engine that `transformers` uses.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from cliper.errors import InputError
from cliper.files import read_json
from cliper.types import IndexArray

START, END = "<|startoftext|>", "<|endoftext|>"
OPENAI_MERGES = "bpe_simple_vocab_16e6.txt.gz"
TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")

_MERGES = 49152 - 256 - 2  # the published list is longer than what CLIP uses
_WORDS = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
_WORD = re.compile(r"[^ \t\r\n]+")
_PIECE = 4096  # texts tokenised at once: bounds the engine's own memory


@dataclass(frozen=True, eq=False)
class ClipTokenizer:
    """Texts to token ids, without the two special tokens.

    Attributes:
        engine: the byte-pair encoder.
        start, end: ids of the special tokens that the model expects around a text.
        longest: bytes of the longest vocabulary entry; lets `encode` cut megabytes early.
        hash: hex SHA-256 over everything that decides the ids.
    """

    engine: Tokenizer
    start: int
    end: int
    longest: int
    hash: str

    @property
    def before(self) -> tuple[int, ...]:
        """The start token."""
        return (self.start,)

    @property
    def after(self) -> tuple[int, ...]:
        """The end token, where the text is pooled."""
        return (self.end,)

    @property
    def pad(self) -> int:
        """The end token: safe under both of CLIP's pooling rules (first end, first largest id)."""
        return self.end

    def encode(self, texts: Sequence[str], *, keep: int | None = None) -> list[IndexArray]:
        """Texts (n) to n arrays of ids, int64.

        A special token's name inside a text is plain text: a description that quotes
        `<|endoftext|>` does not end there.

        Args:
            texts: any Unicode; the empty text gives an empty array.
            keep: promise that only the first `keep` ids matter, and whether there are more. Very
                long texts are then cut before the work; those first ids are unaffected.
        """
        encoded: list[IndexArray] = []
        pending = iter(texts)
        while piece := list(islice(pending, _PIECE)):
            piece = [_without_surrogates(text) for text in piece]
            if keep is not None:
                piece = [self._shorten(text, keep) for text in piece]
            batch = self.engine.encode_batch(piece, add_special_tokens=False)
            encoded.extend(np.array(one.ids, dtype=np.int64) for one in batch)
        return encoded

    def _shorten(self, text: str, keep: int) -> str:
        # A token stands for at most `longest` bytes, so `keep + 1` tokens end within
        # (keep + 1) * longest bytes; canonical composition makes at most 4/3 characters one
        # byte. Cutting at white space leaves every earlier word as it was.
        enough = 2 * (keep + 1) * self.longest
        if len(text) <= enough:
            return text
        total, words = 0, []
        for word in _WORD.finditer(text):
            words.append(word.group())
            total += len(words[-1])
            if total > enough:
                break
        return " ".join(words)


def vocabulary_of(merges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """CLIP's vocabulary from its merges: bytes, bytes that end a word, merges, the two specials.

    >>> vocabulary = vocabulary_of([("i", "n"), ("t", "h")])
    >>> vocabulary["!"], vocabulary["!</w>"], vocabulary["in"], vocabulary["<|endoftext|>"]
    (0, 256, 512, 515)
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = sorted(set(range(256)) - set(printable))
    symbols = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    words = [*symbols, *(s + "</w>" for s in symbols), *("".join(m) for m in merges), START, END]
    return {word: index for index, word in enumerate(words)}


def build_tokenizer(vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> ClipTokenizer:
    """CLIP's tokeniser over a vocabulary and its merges, in order of priority."""
    model = BPE(vocab=vocabulary, merges=list(merges), end_of_word_suffix="</w>", unk_token=END)
    engine = Tokenizer(model)
    engine.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    engine.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return _finished(engine, START, END)


def load_tokenizer(folder: Path) -> ClipTokenizer:
    """The tokeniser kept in a folder, in any of the layouts that CLIP is published in.

    These are, in this order: `tokenizer.json`; `vocab.json` with `merges.txt`; OpenAI's
    `bpe_simple_vocab_16e6.txt.gz`.

    Raises:
        InputError: the folder has none of them, or one that cannot be read.
    """
    if (folder / "tokenizer.json").is_file():
        path = folder / "tokenizer.json"
        try:
            engine = Tokenizer.from_file(str(path))
        except Exception as error:  # the engine raises bare Exception
            raise InputError(f"not a tokeniser: {_line(error)}", where=str(path)) from None
        return _finished(engine, *_special_names(folder), where=str(path))
    if (folder / "merges.txt").is_file() and (folder / "vocab.json").is_file():
        merges = _read_merges(folder / "merges.txt")
        return _built(read_json(folder / "vocab.json"), merges, folder / "merges.txt")
    if (folder / OPENAI_MERGES).is_file():
        merges = _read_merges(folder / OPENAI_MERGES)[:_MERGES]
        return _built(vocabulary_of(merges), merges, folder / OPENAI_MERGES)
    raise InputError(
        "no tokeniser here",
        where=str(folder),
        remedy="put the tokenizer.json (or vocab.json and merges.txt) of "
        f"openai/clip-vit-large-patch14, or OpenAI's {OPENAI_MERGES}, beside the weights",
    )


def _built(vocabulary: dict[str, int], merges: list[tuple[str, str]], path: Path) -> ClipTokenizer:
    try:
        return build_tokenizer(vocabulary, merges)
    except InputError:
        raise
    except Exception as error:  # the engine raises bare Exception
        raise InputError(f"not CLIP's merges: {_line(error)}", where=str(path)) from None


def _finished(
    engine: Tokenizer, start: str, end: str, *, where: str | None = None
) -> ClipTokenizer:
    state = json.loads(engine.to_str())
    model = state["model"]
    if model.get("type") != "BPE":
        raise InputError(f"{model.get('type')} is not CLIP's kind of tokeniser", where=where)
    engine.no_padding()
    engine.no_truncation()
    engine.encode_special_tokens = True
    start_id, end_id = engine.token_to_id(start), engine.token_to_id(end)
    if start_id is None or end_id is None:
        raise InputError(f"the vocabulary lacks {start} or {end}", where=where)
    # Older engines write a merge as "a b", newer ones as ["a", "b"].
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    rule = [model["vocab"], merges, state["normalizer"], state["pre_tokenizer"], start_id, end_id]
    digest = hashlib.sha256(json.dumps(rule, sort_keys=True).encode()).hexdigest()
    # One symbol of the byte alphabet stands for one byte; `</w>` only lengthens the bound.
    longest = max(len(word) for word in model["vocab"])
    return ClipTokenizer(engine, start_id, end_id, longest, digest)


def _special_names(folder: Path) -> tuple[str, str]:
    path = folder / "tokenizer_config.json"
    settings = read_json(path) if path.is_file() else {}
    if not isinstance(settings, dict):
        raise InputError("not an object", where=str(path))
    names = []
    for key, default in (("bos_token", START), ("eos_token", END)):
        value = settings.get(key) or default
        names.append(value["content"] if isinstance(value, dict) else value)
    return names[0], names[1]


def _read_merges(path: Path) -> list[tuple[str, str]]:
    try:
        raw = path.read_bytes()
        lines = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"not a merges file: {_line(error)}", where=str(path)) from None
    if lines[0].startswith(("#version", '"bpe_simple_vocab')):
        lines = lines[1:]
    pairs = []
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 2:
            raise InputError(f"merge {number} is not two symbols", where=str(path))
        pairs.append((parts[0], parts[1]))
    return pairs


def _without_surrogates(text: str) -> str:
    # Half a UTF-16 pair (JSON can smuggle one in) is no text; the engine would refuse the batch
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
