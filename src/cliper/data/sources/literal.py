"""Python literals as data: `ast.literal_eval`, bounded in size and with one kind of error.

The metadata of Amazon's 2014 release is one Python dictionary a line, as `repr` writes it.
"""

import ast
import warnings
from typing import Any

MAX_CHARACTERS = 2**20  # a syntax tree takes some hundred bytes for each


def parse_literal(text: str) -> Any:
    """The value of a Python literal.

    >>> parse_literal("{'asin': 'B01', 'title': \\"Baby's first\\", 'price': 9.5, 'brand': None}")
    {'asin': 'B01', 'title': "Baby's first", 'price': 9.5, 'brand': None}

    Raises:
        ValueError: no literal, or one too long or too deep to be read safely.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"a literal of more than {MAX_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on unknown escapes, which stay as they are
            return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a Python literal ({type(error).__name__})") from None
