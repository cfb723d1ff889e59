"""Tokenisers from the files that they are published in.

A `tokenizer.json` is the engine's own format and is taken as it is. Older layouts are put together
by `transformers`' tokeniser of the family: BERT's `vocab.txt`, CLIP's `vocab.json` with
`merges.txt`, OpenAI's merges alone (CLIP's vocabulary follows from them), and SigLIP 1's
SentencePiece model.
"""

import gzip
import hashlib
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE, Unigram, WordPiece

from cliper.encoders.text_tokenizer import (
    MOST_TOKENS,
    TextTokenizer,
    engine_tokenizer,
    length_limit,
    special_token,
)
from cliper.errors import InputError, first_line
from cliper.files import read_json
from cliper.types import JsonObject

TOKENIZER_FILE, SETTINGS_FILE = "tokenizer.json", "tokenizer_config.json"
VOCABULARY_FILE, SENTENCEPIECE_FILE = "vocab.txt", "spiece.model"
PAIRED_FILE, MERGES_FILE = "vocab.json", "merges.txt"
CLIP_FILES = (TOKENIZER_FILE, PAIRED_FILE, MERGES_FILE, SETTINGS_FILE)
OPENAI_MERGES = "bpe_simple_vocab_16e6.txt.gz"

START, END = "<|startoftext|>", "<|endoftext|>"
_MERGES = 49152 - 256 - 2  # the published list is longer than what CLIP uses
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SENTENCEPIECE_PACKAGES = ("sentencepiece", "google.protobuf")
_SPACES = re.compile(r"\s+")

Older = Mapping[str, Callable[[Path, JsonObject], Tokenizer]]
"""A file's name, and what makes an engine of it and of the settings beside it."""


def load_bert_tokenizer(folder: Path) -> TextTokenizer:
    """BERT's WordPiece (Devlin et al. 2019), which ALIGN, BLIP, Chinese-CLIP and MiniLM have.

    Raises:
        InputError: neither `tokenizer.json` nor `vocab.txt`, or another kind of tokeniser.
    """
    settings = _settings(folder)
    path, engine = _read(
        folder, settings, "BERT's", [WordPiece], {VOCABULARY_FILE: _wordpiece},
        f"put the model's {TOKENIZER_FILE}, or its {VOCABULARY_FILE}, beside the weights",
    )  # fmt: skip
    return engine_tokenizer(
        engine, settings, before=[("cls_token", "[CLS]")], after=[("sep_token", "[SEP]")],
        pad=("pad_token", "[PAD]"), where=str(path),
    )  # fmt: skip


def load_clip_tokenizer(folder: Path) -> TextTokenizer:
    """CLIP's byte pairs (Radford et al. 2021, section 2.4).

    Padding is the end token: safe under both of CLIP's pooling rules (first end, first largest
    id).

    Raises:
        InputError: the folder has none of the known layouts, or one that cannot be read.
    """
    settings = _settings(folder)
    path, engine = _read(
        folder, settings, "CLIP's", [BPE], {MERGES_FILE: _pair, OPENAI_MERGES: _openai},
        f"put the {TOKENIZER_FILE} (or {PAIRED_FILE} and {MERGES_FILE}) of "
        f"openai/clip-vit-large-patch14, or OpenAI's {OPENAI_MERGES}, beside the weights",
    )  # fmt: skip
    end = ("eos_token", END)
    return engine_tokenizer(
        engine, settings, before=[("bos_token", START)], after=[end], pad=end, where=str(path)
    )


def load_siglip_tokenizer(folder: Path) -> TextTokenizer:
    """SigLIP's two: C4's SentencePiece for SigLIP 1, Gemma's byte pairs for SigLIP 2.

    Both were trained on canonical text. SigLIP (arXiv 2303.15343) lower-cases, drops ASCII
    punctuation and collapses white space; SigLIP 2 (arXiv 2502.14786, section 2) lower-cases.
    Published files do not always say so, hence it is done here whatever they say; doing it twice
    changes nothing. An end token closes every text, also a truncated one.

    Raises:
        InputError: neither `tokenizer.json` nor `spiece.model`, another kind, or one that needs
            the packages of `cliper[siglip]`, which are not installed.
    """
    settings, model = _settings(folder), folder / SENTENCEPIECE_FILE
    if model.is_file() and not (folder / TOKENIZER_FILE).is_file():
        return _sentencepiece(model, settings)
    path, engine = _read(
        folder, settings, "SigLIP's", [Unigram, BPE], {},
        f"put the model's {TOKENIZER_FILE}, or its {SENTENCEPIECE_FILE}, beside the weights",
    )  # fmt: skip
    if isinstance(engine.model, Unigram):
        return engine_tokenizer(
            engine, settings, before=[], after=[("eos_token", "</s>")], pad=("pad_token", "</s>"),
            where=str(path), prepare=("siglip canonical 1", canonical),
        )  # fmt: skip
    own, lower = engine.normalizer, normalizers.Lowercase()
    engine.normalizer = lower if own is None else normalizers.Sequence([lower, own])
    return engine_tokenizer(
        engine, settings, before=[], after=[("eos_token", "<eos>")], pad=("pad_token", "<pad>"),
        where=str(path),
    )  # fmt: skip


def canonical(text: str) -> str:
    """SigLIP 1's canonical text.

    >>> canonical("  Don't PANIC:\\t42! ")
    'dont panic 42'
    """
    return _SPACES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).strip()


def vocabulary_of(merges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """CLIP's vocabulary from its merges: bytes, bytes that end a word, merges, the two specials.

    >>> vocabulary = vocabulary_of([("i", "n"), ("t", "h")])
    >>> vocabulary["!"], vocabulary["!</w>"], vocabulary["in"], vocabulary["<|endoftext|>"]
    (0, 256, 512, 515)
    """
    symbols = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*symbols, *(s + "</w>" for s in symbols), *("".join(m) for m in merges), START, END]
    return {word: index for index, word in enumerate(words)}


def _settings(folder: Path) -> JsonObject:
    path = folder / SETTINGS_FILE
    settings = read_json(path) if path.is_file() else {}
    if not isinstance(settings, dict):
        raise InputError("not an object", where=str(path))
    return settings


def _read(
    folder: Path,
    settings: JsonObject,
    family: str,
    models: Sequence[type],
    older: Older,
    remedy: str,
) -> tuple[Path, Tokenizer]:
    """The file that a folder's tokeniser lies in, and its engine."""
    path = folder / TOKENIZER_FILE
    makers: Older = {TOKENIZER_FILE: lambda path, _: Tokenizer.from_file(str(path)), **older}
    for name, make in makers.items():
        path = folder / name
        if not path.is_file():
            continue
        try:
            engine = make(path, settings)
        except BaseException as error:  # the engine raises bare Exception, and panics
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise InputError(f"not a tokeniser: {first_line(error)}", where=str(path)) from None
        if not isinstance(engine.model, tuple(models)):
            kind = type(engine.model).__name__
            raise InputError(f"{kind} is not {family} kind of tokeniser", where=str(path))
        return path, engine
    raise InputError("no tokeniser here", where=str(folder), remedy=remedy)


def _wordpiece(path: Path, settings: JsonObject) -> Tokenizer:
    words = path.read_text("utf-8").split("\n")
    vocabulary = {word.rstrip("\r"): index for index, word in enumerate(words) if word.strip()}
    usual = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    special: dict[str, Any] = {k: special_token(settings, k, name) for k, name in usual.items()}
    _check_words(special.values(), vocabulary)
    rules = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
    rule = {key: settings[key] for key in rules if key in settings}
    from transformers import BertTokenizer

    return _engine_of(BertTokenizer(vocab=vocabulary, **special, **rule))


def _pair(path: Path, _: JsonObject) -> Tokenizer:
    vocabulary, merges = BPE.read_file(str(path.parent / PAIRED_FILE), str(path))
    return _byte_pairs(vocabulary, merges)


def _openai(path: Path, _: JsonObject) -> Tokenizer:
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1:]  # a header
    merges: list[Any] = [tuple(line.split()) for line in lines[:_MERGES] if line.strip()]
    return _byte_pairs(vocabulary_of(merges), merges)


def _byte_pairs(vocabulary: dict[str, int], merges: list[Any]) -> Tokenizer:
    from transformers import CLIPTokenizer

    if max(vocabulary.values(), default=0) >= MOST_TOKENS:
        raise ValueError(f"a token has a number of {MOST_TOKENS:,} or more")
    _check_words((START, END), vocabulary)
    return _engine_of(CLIPTokenizer(vocab=vocabulary, merges=merges))


def _check_words(special: Iterable[str], vocabulary: Mapping[str, int]) -> None:
    """Refuse what `transformers` would make up for (a `ValueError`): ids that no tower knows."""
    if missing := [name for name in special if name not in vocabulary]:
        raise ValueError(f"the vocabulary lacks {missing[0]}")


def _engine_of(tokenizer: Any) -> Tokenizer:
    # A new object: the one inside carries `transformers`' own method for decoding.
    return Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())


def _sentencepiece(path: Path, settings: JsonObject) -> TextTokenizer:
    if missing := [name for name in _SENTENCEPIECE_PACKAGES if find_spec(name) is None]:
        raise InputError(
            f"{path.name} needs {' and '.join(missing)}",
            where=str(path),
            remedy=f"pip install 'cliper[siglip]', or put the model's {TOKENIZER_FILE} beside it",
        )
    special: dict[str, Any] = {
        key: special_token(settings, key, usual)
        for key, usual in (("eos_token", "</s>"), ("pad_token", "</s>"), ("unk_token", "<unk>"))
    }
    from transformers import SiglipTokenizer

    try:
        engine: Any = SiglipTokenizer(vocab_file=str(path), **special)
    except Exception as error:  # sentencepiece raises RuntimeError or its own
        raise InputError(
            f"not a SentencePiece model: {first_line(error)}", where=str(path)
        ) from None

    def encode(texts: list[str]) -> list[list[int]]:
        ids: list[list[int]] = engine(
            texts, add_special_tokens=False, split_special_tokens=True, verbose=False
        )["input_ids"]
        return ids

    facts = repr(("siglip sentencepiece 2", sorted(special.items())))
    return TextTokenizer(
        ids=encode,
        before=(),
        after=(int(engine.eos_token_id),),
        pad=int(engine.pad_token_id),
        hash=hashlib.sha256(facts.encode() + path.read_bytes()).hexdigest(),
        size=int(engine.vocab_size),
        limit=length_limit(settings),
    )
