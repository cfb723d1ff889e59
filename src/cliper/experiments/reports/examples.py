"""Users and items for a report's pictures, drawn at random and never picked for effect."""

from collections.abc import Sequence

import numpy as np

from cliper.data import Dataset, Split
from cliper.experiments.comparisons.comparison import Outcome
from cliper.experiments.reports.page.model import (
    HIT,
    NEVER_BOUGHT,
    ReportItem,
    UserPanel,
    View,
    ViewPanel,
)
from cliper.experiments.run.experiment import load_config
from cliper.representation.explain import explain
from cliper.representation.represent import encode_catalogue

SHOWN = 8


def user_panels(
    dataset: Dataset, split: Split, outcomes: Sequence[Outcome], count: int, seed: int = 0
) -> list[UserPanel]:
    """Users with at least four training and one test interaction; first seed of each outcome."""
    enough = np.flatnonzero((split.train.user_counts() >= 4) & (split.test.user_counts() >= 1))
    drawn = np.random.default_rng(seed).permutation(enough)[:count]
    cold = split.train.item_counts() == 0
    bought = dataset.interactions.item_counts() > 0
    panels = []
    for user in drawn:
        user_id = dataset.users.ids([int(user)])[0]
        later = set(split.test.item_index[split.test.user_index == user].tolist())
        columns = {}
        for outcome in outcomes:
            answer = outcome.runs[0].recommend([user_id], k=SHOWN)
            indices = dataset.items.indices([r.item_id for r in answer])
            columns[outcome.variant.label] = tuple(
                _item(
                    dataset,
                    int(i),
                    ((HIT,) if int(i) in later else ())
                    + ((NEVER_BOUGHT,) if cold[i] or not bought[i] else ()),
                )
                for i in indices
            )
        history = split.train.item_index[split.train.user_index == user][-SHOWN:]
        items = tuple(_item(dataset, int(i)) for i in history)
        panels.append(UserPanel(user_id, items, columns))
    return panels


def view_panels(dataset: Dataset, outcome: Outcome, count: int, seed: int = 0) -> list[ViewPanel]:
    """Items with a picture and at least two views, and the weight of each.

    That of Eq. 2 with the attention; the learned ones, or none, with other fusions.
    """
    config = load_config(outcome.runs[0].directory)
    if dataset.catalogue is None or config.features.kind != "cliper":
        return []
    rendered, encodings = encode_catalogue(dataset, config.representation)
    usable = np.flatnonzero(encodings.image_present & (encodings.text_present.sum(axis=0) >= 2))
    drawn = np.sort(np.random.default_rng(seed).permutation(usable)[:count])
    attention = config.fusion.kind == "attention"
    temperature = float(config.fusion.temperature)
    learned = outcome.runs[0].results.features.weights
    note = f"weights at temperature {temperature:g}" if attention else "views of equal weight"
    note = "weights learned from the training interactions" if learned else note
    panels = []
    threshold = config.fusion.threshold
    explained = explain(encodings, drawn, temperature, threshold=threshold)
    for item, weights in zip(drawn, explained, strict=True):
        there = encodings.text_present[:, item]
        own = np.array([learned.get(w.view, 1.0) for w in weights]) * there
        shares = [w.weight for w in weights] if attention else (own / own.sum()).tolist()
        views = tuple(
            View(w.view, rendered.texts[j][item], shares[j] if there[j] else None, w.cosine)
            for j, w in enumerate(weights)
        )
        panels.append(ViewPanel(_item(dataset, int(item)), views, note))
    return panels


def _item(dataset: Dataset, index: int, badges: tuple[str, ...] = ()) -> ReportItem:
    item_id = dataset.items.ids([index])[0]
    if dataset.catalogue is None:
        return ReportItem(item_id, None, badges)
    title = None
    if "title" in dataset.catalogue.fields:
        title = dataset.catalogue.table.column("title")[index].as_py()
    name = dataset.catalogue.images[index]
    path = None if name is None else dataset.catalogue.image_root / name
    text = ", ".join(title) if isinstance(title, list) else title
    return ReportItem(text or item_id, path, badges)
