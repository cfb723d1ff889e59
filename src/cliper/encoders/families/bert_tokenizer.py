"""BERT's WordPiece tokeniser (Devlin et al. 2019), which ALIGN, BLIP and Chinese-CLIP share."""

from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece

from cliper.encoders.families.subwords import (
    SubwordTokenizer,
    engine_tokenizer,
    length_limit,
    load_engine,
    plain,
    read_settings,
    special_token,
)
from cliper.errors import InputError
from cliper.types import JsonObject


def load_bert_tokenizer(folder: Path) -> SubwordTokenizer:
    """The tokeniser of a folder: `tokenizer.json`, or `vocab.txt` with its settings.

    A text is put between `[CLS]` and `[SEP]`.

    Raises:
        InputError: the folder has neither, or one that is not BERT's kind.
    """
    settings = read_settings(folder)
    path = folder / "tokenizer.json"
    if path.is_file():
        engine = load_engine(path)
        if not isinstance(engine.model, WordPiece):
            kind = type(engine.model).__name__
            raise InputError(f"{kind} is not BERT's kind of tokeniser", where=str(path))
    elif (folder / "vocab.txt").is_file():
        path = folder / "vocab.txt"
        engine = _from_vocabulary(path, settings)
    else:
        raise InputError(
            "no tokeniser here",
            where=str(folder),
            remedy="put the model's tokenizer.json, or its vocab.txt, beside the weights",
        )
    return engine_tokenizer(
        engine,
        before=[special_token(settings, "cls_token", "[CLS]")],
        after=[special_token(settings, "sep_token", "[SEP]")],
        pad=special_token(settings, "pad_token", "[PAD]"),
        limit=length_limit(settings),
        where=str(path),
    )


def _from_vocabulary(path: Path, settings: JsonObject) -> Tokenizer:
    try:
        words = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"not a vocabulary: {error}", where=str(path)) from None
    vocabulary = {word.rstrip("\r"): index for index, word in enumerate(words) if word.strip()}
    unknown = special_token(settings, "unk_token", "[UNK]")
    if unknown not in vocabulary:
        raise InputError(f"the vocabulary lacks {unknown}", where=str(path))
    engine = Tokenizer(WordPiece(vocabulary, unk_token=unknown))
    engine.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True),
    )
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return plain(engine)
