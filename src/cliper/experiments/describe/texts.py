"""How long the rendered views are, against what encoders read of them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cliper.data import Catalogue
from cliper.encoders.minilm import MiniLM
from cliper.errors import InputError
from cliper.progress import task
from cliper.views import render

CLIP, LONG_CLIP = 77, 248
_CHUNK = 4096


@dataclass(frozen=True)
class TextFacts:
    """Lengths of one view in tokens, the two special ones included.

    Counted by the packaged sentence encoder's WordPiece. On English descriptions CLIP's BPE gives
    1 % fewer (correlation 0.997 over 1,591 film descriptions), so the shares hold for CLIP too.

    Attributes:
        view: its name.
        present: items that have it.
        median, most: tokens.
        over_clip, over_long_clip: items beyond 77 and beyond 248 tokens, whose end is lost.
        histogram: items by length, in bins of eight tokens, the last one open.
    """

    view: str
    present: int
    median: float
    most: int
    over_clip: int
    over_long_clip: int
    histogram: tuple[int, ...]


BIN, BINS = 8, 40


def text_facts(catalogue: Catalogue) -> list[TextFacts]:
    """One entry a rendered view, the global one last; none where no field makes a view."""
    try:
        views = render(catalogue)
    except InputError:
        return []
    tokenizer = MiniLM()
    with task("counting tokens", total=len(views.names) * len(catalogue.items)) as bar:
        facts = []
        for name, texts in zip(views.names, views.texts, strict=True):
            some = [text for text in texts if text is not None]
            parts = [some[i : i + _CHUNK] for i in range(0, len(some), _CHUNK)]
            counts = [tokenizer.count_tokens(part) for part in parts]
            facts.append(_facts(name, np.concatenate([np.zeros(0, np.int64), *counts])))
            bar.advance(len(texts), name)
    return facts


def _facts(name: str, counts: npt.NDArray[np.int64]) -> TextFacts:
    binned = np.bincount(np.minimum(counts // BIN, BINS - 1), minlength=BINS)
    return TextFacts(
        view=name,
        present=len(counts),
        median=float(np.median(counts)) if len(counts) else 0.0,
        most=int(counts.max(initial=0)),
        over_clip=int((counts > CLIP).sum()),
        over_long_clip=int((counts > LONG_CLIP).sum()),
        histogram=tuple(int(count) for count in binned),
    )
