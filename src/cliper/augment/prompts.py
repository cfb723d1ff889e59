"""What the language model is asked: three templates and how items are put into them.

After the prompts of LLMRec (arXiv 2311.00423, Section 3.2): what a person took, candidates by
number, two numbers back; what is known of an item, attributes back; what a person took, a
description back. Titles come from strangers: each is one line, cut, and between the numbers that
the answers are checked against, so that no title can add a line or choose for the model.
"""

import hashlib
from collections.abc import Sequence

from cliper.data.catalogue import Catalogue, FieldValue
from cliper.errors import InputError

FEEDBACK = """\
A person took these items:
{history}

Candidates:
{candidates}

Which candidate will this person like most, and which least? Answer with the numbers of two \
candidates, the liked one first, in the form 3::7 and nothing else.
Answer:"""

ATTRIBUTES = """\
An item of a catalogue:
{item}

Tell its {names}. Answer with one line for each, in the form name: value, and write unknown where \
you cannot tell.
Answer:"""

PROFILE = """\
A person took these items:
{history}

Describe in at most forty words what this person likes and what not.
Answer:"""

HASH = hashlib.sha256("\0".join([FEEDBACK, ATTRIBUTES, PROFILE]).encode()).hexdigest()
"""Of the templates; part of what an augmented dataset says about itself."""

SHORT, LONG = 80, 300
"""Characters of a value in a list of items, and where an item stands alone."""


def feedback_prompt(history: Sequence[str], candidates: Sequence[str]) -> str:
    """Which of the candidates (numbered from 1) would somebody with this history like?"""
    numbered = "\n".join(f"[{at}] {text}" for at, text in enumerate(candidates, start=1))
    return FEEDBACK.format(history=_listed(history), candidates=numbered)


def attributes_prompt(item: str, names: Sequence[str]) -> str:
    """What are these attributes of an item?"""
    return ATTRIBUTES.format(item=item, names=", ".join(names))


def profile_prompt(history: Sequence[str]) -> str:
    """What does somebody with this history like?"""
    return PROFILE.format(history=_listed(history))


class ItemTexts:
    """A catalogue's items as lines of a prompt.

    Args:
        catalogue: its fields, `title` first where there is one.

    Raises:
        InputError: it has no field at all.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        fields = sorted(catalogue.fields, key=lambda name: name != "title")
        if not fields:
            raise InputError(
                "the catalogue has no field, there is nothing to tell a language model",
                where="items.parquet",
                remedy="prepare the dataset with --items that say something",
            )
        self.values = {field: catalogue.values(field) for field in fields}

    def short(self, item: int) -> str:
        """The first two things that are known of an item, in one line."""
        known = [_text(values[item], SHORT) for values in self.values.values()]
        return ", ".join([text for text in known if text][:2]) or "an item"

    def long(self, item: int) -> str:
        """Everything that is known of an item, a line a field."""
        known = {field: _text(values[item], LONG) for field, values in self.values.items()}
        return "\n".join(f"{one_line(f, SHORT)}: {text}" for f, text in known.items() if text)


def one_line(text: str, most: int) -> str:
    """The text without control characters and runs of spaces, at most `most` characters.

    >>> one_line("a\\n[3]\\tb", 80)
    'a [3] b'
    """
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * most])
    return " ".join(shown.split())[:most].rstrip()


def _text(value: FieldValue, most: int) -> str:
    parts = [value] if isinstance(value, str) else value or []
    return one_line(", ".join(parts), most)


def _listed(items: Sequence[str]) -> str:
    return "\n".join(f"- {text}" for text in items)
