"""Which views of an item, and its picture, a score rests on: what it loses without each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.scoring import FactorScorer, HistoryScorer, Scorer
from cliper.serving.answer import ViewShare
from cliper.serving.new_items import NewItems, rows_of
from cliper.serving.reasons import shares

PICTURE = "image"


@dataclass(frozen=True, eq=False)
class Variants:
    """One item as it is, and once without each of its views and its picture.

    Attributes:
        names: of what is left out, n.
        encodings: of 1 + n items, the whole one first.
    """

    names: tuple[str, ...]
    encodings: Encodings


def variants(one: Encodings) -> Variants:
    """Of the encodings of a single item."""
    names = [name for name, there in zip(one.views, one.text_present[:, 0], strict=True) if there]
    if one.image_present[0]:
        names.append(PICTURE)
    every = rows_of(one, np.zeros(1 + len(names), np.int64))
    text_present, image_present = every.text_present.copy(), every.image_present.copy()
    for at, name in enumerate(names, 1):
        if name == PICTURE:
            image_present[at] = False
        else:
            text_present[one.views.index(name), at] = False
    text = np.where(text_present[:, :, None], every.text, 0)
    image = np.where(image_present[:, None], every.image, 0)
    whole = replace(
        every, text=text, text_present=text_present, image=image, image_present=image_present
    )
    return Variants(tuple(names), whole)


def view_reasons(
    new_items: NewItems, scorer: Scorer, row: int, ids: Sequence[str]
) -> list[tuple[ViewShare, ...]]:
    """The views' shares in the scores that one of the scorer's users gives to some items.

    Each item is scored as a cold one, so that its content is all there is to it, whole and without
    each of its views and its picture. Where fusion and model are linear in the views, that is each
    view's own term.

    Args:
        new_items: of the run.
        scorer: what ranked.
        row: of the user in it.
        ids: of the items.

    Raises:
        InputError: the model's features are not made of views.
    """
    found = []
    for item in ids:
        made = variants(new_items.encodings_of(item))
        trained = len(new_items.catalogue.items)
        grown = new_items.as_new(item, made.encodings)
        scores = torch.cat([_scores(scorer, row, part, trained) for part in grown])
        parts = (scores[0] - scores[1:]).double().numpy()
        pairs = zip(made.names, shares(parts).tolist(), strict=False)
        found.append(tuple(ViewShare(name, share) for name, share in pairs))
    return found


def _scores(scorer: Scorer, row: int, grown: Scorer, trained: int) -> Tensor:
    """What a user of `scorer` gives to the items behind the `trained` ones of `grown`."""
    if isinstance(scorer, FactorScorer) and isinstance(grown, FactorScorer):
        return grown.items[trained:].detach() @ scorer.users[row].detach()
    if isinstance(scorer, HistoryScorer) and isinstance(grown, HistoryScorer):
        weights = sp.csr_matrix(grown.weights)[:trained, trained:]
        return torch.from_numpy((scorer.history[row, :trained] @ weights).toarray()[0])
    raise InputError("this model's scores do not rest on views", where="explain")
