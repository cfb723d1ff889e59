"""What several families read from `transformers`' configurations in the same way."""

from typing import Any

from cliper.encoders.families.subwords import SubwordTokenizer
from cliper.encoders.preprocessing import ImagePreprocessing
from cliper.errors import InputError
from cliper.types import JsonObject

Config = Any
"""A configuration of `transformers`, whose own annotations differ between versions."""


def kept(config: Config, *keys: str) -> JsonObject:
    """The settings that tensors' shapes do not tell, for the encoder's hash."""
    return {key: getattr(config, key) for key in keys if hasattr(config, key)}


def sides(size: Any) -> tuple[int, int]:
    """A configuration's image size, one number or two.

    >>> sides(224), sides([224, 196])
    ((224, 224), (224, 196))
    """
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    return int(height), int(width)


def text_limit(*limits: int | None) -> int:
    """The smallest limit that is set: the model's positions, its tokeniser's, its training's.

    >>> text_limit(512, None, 64)
    64
    """
    return min(int(limit) for limit in limits if limit is not None)


def check_vocabulary(tokenizer: SubwordTokenizer, text_config: Config, *, where: str) -> None:
    """Refuse a tokeniser with more words than the text tower knows (an `InputError`)."""
    if tokenizer.size > text_config.vocab_size:
        raise InputError(
            f"the tokeniser has {tokenizer.size} words, the text tower {text_config.vocab_size}",
            where=where,
            remedy="use the tokeniser that was published with the weights",
        )


def check_shape(preprocessing: ImagePreprocessing, *, where: str) -> None:
    """Refuse preprocessing whose result depends on the picture's shape (an `InputError`)."""
    if preprocessing.shape is None:
        raise InputError(
            "the preprocessing gives pictures of different shapes",
            where=where,
            remedy="use the preprocessor_config.json that was published with the weights",
        )
