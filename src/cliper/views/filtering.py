"""Which fields make a view when nobody says: the automatic rule for noisy ones."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MAX_MISSING = 0.9
MAX_CONSTANT = 0.9
MAX_BARE = 0.9

_BARE = re.compile(r"\s*(?:[-+]?[\d.,]+(?:e[-+]?\d+)?|\w+://\S+|www\.\S+)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class NoiseRule:
    """Limits beyond which a field says too little to be a view. Each is a share in [0, 1].

    Attributes:
        max_missing: of the items, those without a value.
        max_constant: of the items with a value, those that share the commonest one.
        max_bare: of the items with a value, those where it is a bare number or a URL, which a
            text encoder can make nothing of.
    """

    max_missing: float = MAX_MISSING
    max_constant: float = MAX_CONSTANT
    max_bare: float = MAX_BARE

    def reason(self, texts: Sequence[str | None]) -> str | None:
        """Why a field with these values is left out, or None when it is kept.

        >>> NoiseRule().reason(["12.50", "3", "9.99"])
        'a bare number or URL in 100 % of the values'
        >>> NoiseRule().reason(["red", None, "blue"]) is None
        True
        """
        present = [text for text in texts if text is not None]
        if not present:
            return "missing everywhere"
        missing = 1 - len(present) / len(texts)
        if missing > self.max_missing:
            return f"missing in {missing:.0%} of the items".replace("%", " %")
        constant = Counter(present).most_common(1)[0][1] / len(present)
        if len(present) > 1 and constant > self.max_constant:
            return f"the same value in {constant:.0%} of the values".replace("%", " %")
        bare = sum(_BARE.fullmatch(text) is not None for text in present) / len(present)
        if bare > self.max_bare:
            return f"a bare number or URL in {bare:.0%} of the values".replace("%", " %")
        return None
