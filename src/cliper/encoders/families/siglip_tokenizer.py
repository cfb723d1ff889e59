"""SigLIP's two tokenisers: C4's SentencePiece for SigLIP 1, Gemma's for SigLIP 2.

Both were trained on canonical text. SigLIP (Zhai et al. 2023, arXiv 2303.15343) lower-cases,
drops ASCII punctuation and collapses white space; SigLIP 2 (Tschannen et al. 2025, arXiv
2502.14786, section 2) lower-cases. Published tokeniser files do not always say so, hence it is
done here whatever they say; doing it twice changes nothing. An end token closes every text, also
a truncated one.
"""

import hashlib
import re
import string
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import normalizers
from tokenizers.models import BPE, Unigram

from cliper.encoders.families.subwords import (
    SubwordTokenizer,
    engine_tokenizer,
    length_limit,
    load_engine,
    read_settings,
    special_token,
)
from cliper.errors import InputError
from cliper.types import JsonObject

SENTENCEPIECE_FILE = "spiece.model"

_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SPACES = re.compile(r"\s+")


def canonical(text: str) -> str:
    """SigLIP 1's canonical text.

    >>> canonical("  Don't PANIC:\\t42! ")
    'dont panic 42'
    """
    return _SPACES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).strip()


def load_siglip_tokenizer(folder: Path) -> SubwordTokenizer:
    """The tokeniser of a folder: `tokenizer.json`, or SigLIP 1's `spiece.model`.

    Raises:
        InputError: the folder has neither, one of another kind, or one that needs the package
            `sentencepiece`, which is not installed.
    """
    settings = read_settings(folder)
    path = folder / "tokenizer.json"
    if path.is_file():
        engine = load_engine(path)
        limit = length_limit(settings)
        if isinstance(engine.model, Unigram):
            end = special_token(settings, "eos_token", "</s>")
            pad = special_token(settings, "pad_token", "</s>")
            return engine_tokenizer(
                engine, before=[], after=[end], pad=pad, limit=limit, where=str(path),
                prepare=("siglip canonical 1", canonical),
            )  # fmt: skip
        if isinstance(engine.model, BPE):
            lower = normalizers.Lowercase()
            own = engine.normalizer
            engine.normalizer = lower if own is None else normalizers.Sequence([lower, own])
            end = special_token(settings, "eos_token", "<eos>")
            pad = special_token(settings, "pad_token", "<pad>")
            return engine_tokenizer(
                engine, before=[], after=[end], pad=pad, limit=limit, where=str(path)
            )
        kind = type(engine.model).__name__
        raise InputError(f"{kind} is not SigLIP's kind of tokeniser", where=str(path))
    if (folder / SENTENCEPIECE_FILE).is_file():
        return _sentencepiece(folder / SENTENCEPIECE_FILE, settings)
    raise InputError(
        "no tokeniser here",
        where=str(folder),
        remedy=f"put the model's tokenizer.json, or its {SENTENCEPIECE_FILE}, beside the weights",
    )


def _sentencepiece(path: Path, settings: JsonObject) -> SubwordTokenizer:
    if find_spec("sentencepiece") is None:
        raise InputError(
            f"{path.name} needs the package sentencepiece",
            where=str(path),
            remedy="pip install 'cliper[siglip]', or put the model's tokenizer.json beside it",
        )
    import sentencepiece

    raw = path.read_bytes()
    engine: Any = sentencepiece.SentencePieceProcessor()
    try:
        engine.LoadFromSerializedProto(raw)
    except Exception as error:  # it raises RuntimeError or its own
        raise InputError(f"not a SentencePiece model: {error}", where=str(path)) from None
    names = [special_token(settings, key, "</s>") for key in ("eos_token", "pad_token")]
    end, pad = (int(engine.piece_to_id(name)) for name in names)
    unknown = special_token(settings, "unk_token", "<unk>")
    ahead = len(engine.encode(unknown))

    def encode(texts: list[str]) -> list[list[int]]:
        # The model itself drops leading white space, yet a text begins with a space in training.
        # Behind another token (the unknown one's name) that space is kept.
        marked = [unknown + canonical("▁" + text.replace("▁", " ")) for text in texts]
        return [ids[ahead:] for ids in engine.encode(marked)]

    digest = hashlib.sha256(raw)
    digest.update(repr(("siglip sentencepiece 1", end, pad, unknown)).encode())
    return SubwordTokenizer(
        ids=encode,
        before=(),
        after=(end,),
        pad=pad,
        hash=digest.hexdigest(),
        size=engine.get_piece_size(),
        limit=length_limit(settings),
    )
