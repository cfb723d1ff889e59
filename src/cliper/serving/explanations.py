"""Why each item of an answer: which items of the history, and which views, a score rests on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from cliper.data import Vocabulary
from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.scoring import FactorScorer, FoldIn, HistoryScorer, Scorer
from cliper.serving.answer import HistoryShare, Method, Reasons, ViewShare
from cliper.serving.best import Best
from cliper.serving.new_items import NewItems, rows_of
from cliper.serving.shelf import Shelf
from cliper.types import FloatArray, IndexArray

PICTURE = "image"
TINY = 1e-6
"""A sum this much smaller than its terms is rounding; shares of it would mean nothing."""


def explanations(
    shelf: Shelf,
    maker: NewItems | None,
    scorer: Scorer,
    rows: IndexArray,
    histories: Sequence[IndexArray],
    best: Sequence[Best],
) -> list[list[Reasons]]:
    """Reasons for every item of every user's list.

    Args:
        shelf: the items.
        maker: knows their views; None leaves the views out.
        scorer: whose users `rows` (B,) are.
        histories: item indices that each user has.
        best: each user's list.

    Raises:
        InputError: the model cannot say what a score rests on.
    """
    found = []
    for row, history, (items, _) in zip(rows, histories, best, strict=True):
        reasons = _history_reasons(shelf.fold_in, shelf.items, history, items)
        if maker is not None:
            views = _view_reasons(maker, scorer, int(row), shelf.items.ids(items))
            reasons = [replace(r, views=v) for r, v in zip(reasons, views, strict=True)]
        found.append(reasons)
    return found


def shares(parts: FloatArray) -> FloatArray:
    """Parts (n,) of a score over their sum, so that they sum to 1; empty where all are zero.

    Where the sum is not positive there is nothing to have a share of: then it is over sizes.

    >>> shares(np.array([3.0, -1.0])).tolist(), shares(np.array([-3.0, 1.0])).tolist()
    ([1.5, -0.5], [0.75, 0.25])
    """
    sizes = np.abs(parts)
    if not sizes.sum() > 0:
        return parts[:0]
    total = parts.sum()
    found: FloatArray = (
        parts / total if total > TINY * sizes.sum() else np.divide(sizes, sizes.sum())
    )
    return found


def _history_reasons(
    fold_in: FoldIn | None, ids: Vocabulary, history: IndexArray, items: IndexArray
) -> list[Reasons]:
    """Why each of some items (t,) is recommended to somebody with this history.

    Raises:
        InputError: the model cannot say what a score rests on.
    """
    if fold_in is None:
        raise InputError(
            "this model cannot say which items of a history a score rests on",
            where="explain",
            remedy="docs/serving.md lists which can",
        )
    if not len(history) or not len(items):
        return [Reasons(())] * len(items)
    names = ids.ids(history)
    method: Method = "sum" if fold_in.is_sum else "leave-one-out"
    reasons = []
    for row in fold_in.parts(history, items).double().numpy():
        pairs = zip(names, shares(row).tolist(), strict=False)
        ordered = sorted(pairs, key=lambda pair: -pair[1])
        found = tuple(HistoryShare(name, share) for name, share in ordered)
        reasons.append(Reasons(found, method=method))
    return reasons


def _view_reasons(
    new_items: NewItems, scorer: Scorer, row: int, ids: Sequence[str]
) -> list[tuple[ViewShare, ...]]:
    """The views' shares in the scores that one of the scorer's users gives to some items.

    Each item is scored as a cold one, so that its content is all there is to it, whole and without
    each of its views and its picture. Where fusion and model are linear in the views, that is each
    view's own term.

    Raises:
        InputError: the model's features are not made of views.
    """
    found = []
    for item in ids:
        names, encodings = _variants(new_items.encodings_of(item))
        trained = len(new_items.catalogue.items)
        grown = new_items.as_new(item, encodings)
        scores = torch.cat([_scores(scorer, row, part, trained) for part in grown])
        parts = (scores[0] - scores[1:]).double().numpy()
        pairs = zip(names, shares(parts).tolist(), strict=False)
        found.append(tuple(ViewShare(name, share) for name, share in pairs))
    return found


def _variants(one: Encodings) -> tuple[list[str], Encodings]:
    """Names of what a single item has, and its encodings whole and once without each of these."""
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
    return names, whole


def _scores(scorer: Scorer, row: int, grown: Scorer, trained: int) -> Tensor:
    """What a user of `scorer` gives to the items behind the `trained` ones of `grown`."""
    if isinstance(scorer, FactorScorer) and isinstance(grown, FactorScorer):
        return grown.items[trained:].detach() @ scorer.users[row].detach()
    if isinstance(scorer, HistoryScorer) and isinstance(grown, HistoryScorer):
        weights = sp.csr_matrix(grown.weights)[:trained, trained:]
        return torch.from_numpy((scorer.history[row, :trained] @ weights).toarray()[0])
    raise InputError("this model's scores do not rest on views", where="explain")
