"""Texts for generated catalogues: clean, and as they look when scraped."""

from random import Random

_SYLLABLES = [first + vowel for first in "bdfghklmnprst" for vowel in "aeio"]
_FIRST = ("Blue", "Soft", "Café", "Mini", "Grande", "Nº 5", "Père", "Süß", "Baby's", 'The "Best"')
_TAGS = ("<br />{}", "<p>{}</p>", "<b>{}</b>", "<ul><li>{}</li></ul>", '<span class="x">{}</span>')


class Words:
    """Texts drawn from a generator.

    Args:
        random: what is drawn from.
        many: size of the vocabulary.
    """

    def __init__(self, random: Random, many: int = 2_000) -> None:
        self._random = random
        self._words = [
            "".join(random.choices(_SYLLABLES, k=random.randint(1, 3))) for _ in range(many)
        ]

    def text(self, least: int, most: int) -> str:
        """Words in a row, single blanks between them."""
        return " ".join(self._random.choices(self._words, k=self._random.randint(least, most)))

    def title(self) -> str:
        """A few words, some of them with quotes, apostrophes or letters beyond ASCII."""
        return f"{self._random.choice(_FIRST)} {self.text(2, 6)}"

    def scraped(self, text: str) -> str:
        """The same text as a page would hold it: entities, tags, white space."""
        text = text.replace("&", "&amp;").replace('"', "&quot;").replace("é", "&eacute;")
        head, _, tail = text.partition(" ")
        return f"{head}  {self._random.choice(_TAGS).format(tail)}\n" if tail else f" {head} "
