"""`TextTokenizer`: what the encoder asks of a family's tokeniser."""

from collections.abc import Sequence
from typing import Protocol

from cliper.types import IndexArray


class TextTokenizer(Protocol):
    """Texts to token ids, and what belongs around them.

    Attributes:
        before, after: ids of the special tokens around a text.
        pad: the id that fills up shorter rows of a batch.
        hash: hex SHA-256 over everything that decides the ids.
    """

    @property
    def before(self) -> tuple[int, ...]:
        """Ids that a text begins with."""
        ...

    @property
    def after(self) -> tuple[int, ...]:
        """Ids that a text ends with."""
        ...

    @property
    def pad(self) -> int:
        """The id of padding."""
        ...

    @property
    def hash(self) -> str:
        """Hex SHA-256 over everything that decides the ids."""
        ...

    def encode(self, texts: Sequence[str], *, keep: int | None = None) -> list[IndexArray]:
        """Texts (n) to n int64 arrays of ids, without the special tokens.

        Args:
            texts: any Unicode; the empty text gives an empty array.
            keep: promise that only the first `keep` ids matter, and whether there are more.
        """
        ...
