"""Very many items: what is found without scoring all of them, against scoring all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import cliper
from cliper.data import Dataset, Interactions, Vocabulary
from cliper.scoring import FactorScorer, FoldIn
from cliper.scoring.fold_in import default_fold_in
from cliper.serving import Recommender, best, nearest
from cliper.serving.nearest import Nearest
from cliper.serving.shelf import Shelf
from cliper.serving.where import Fields

M, N, D = 200, 30_000, 16


def shelf(fold_in: FoldIn | None = None) -> Shelf:
    """Items around 300 centres, of which the popular ones have longer vectors."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(300, D))
    items = centres[rng.integers(300, size=N)] + 0.5 * rng.normal(size=(N, D))
    items *= rng.gamma(4, 0.25, size=(N, 1))
    users = centres[rng.integers(300, size=M)] + 0.5 * rng.normal(size=(M, D))
    scorer = FactorScorer(torch.tensor(users).float(), torch.tensor(items).float())
    kinds = pa.table({"part": rng.choice(["most", "few"], N, p=[0.99, 0.01])})
    names = Vocabulary([f"i{at}" for at in range(N)])
    counts = np.ones(N, np.int64)
    return Shelf(names, scorer, counts, Fields(kinds), default_fold_in(scorer))


def recommender(stock: Shelf) -> Recommender:
    assert isinstance(stock.scorer, FactorScorer)
    users = Vocabulary([f"u{at}" for at in range(M)])
    seen = np.repeat(np.arange(M), 50)
    items = np.random.default_rng(1).integers(N, size=len(seen))
    made = Recommender(
        users,
        stock.items,
        stock.scorer,
        seen,
        items,
        stock.train_counts,
        stock.fields,
        stock.fold_in,
    )
    made._shelf = stock
    return made


def ids(model: Recommender, **asked: Any) -> list[set[str]]:
    rows = [model.recommend([f"u{user}"], 10, **asked) for user in range(M)]
    return [{row.item_id for row in found} for found in rows]


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nearest, best):
        monkeypatch.setattr(module, "EXACT", 1000)


def with_index(stock: Shelf) -> Shelf:
    assert isinstance(stock.scorer, FactorScorer)
    index = Nearest.of(stock.scorer)
    assert index is not None and index.probes < index.index.nlist / 2
    return Shelf(stock.items, stock.scorer, stock.train_counts, stock.fields, stock.fold_in, index)


@pytest.mark.parametrize("where", [None, {"part": "few"}, {"part": "most"}])
def test_recall(few_are_many: None, where: Any) -> None:
    stock = shelf()
    exact, found = recommender(stock), recommender(with_index(stock))
    pairs = zip(ids(exact, where=where), ids(found, where=where), strict=True)
    recall = np.mean([len(true & got) / 10 for true, got in pairs])
    assert recall == 1 if where == {"part": "few"} else recall >= 0.99
    history = ["i5", "i77", "i1234"]
    true, got = (m.recommend(history=history, where=where) for m in (exact, found))
    assert len({r.item_id for r in true} & {r.item_id for r in got}) >= 9
    both = {row.item_id: row.score for row in true}
    assert all(row.score == both[row.item_id] for row in got if row.item_id in both)


def test_added_and_removed_items(few_are_many: None) -> None:
    stock = with_index(shelf())
    model = recommender(stock)
    first = model.recommend(["u3"], 2)
    assert isinstance(stock.scorer, FactorScorer) and stock.fields is not None
    better = 2 * stock.scorer.items[model.items.indices([first[0].item_id])]
    scorer = FactorScorer(stock.scorer.users, torch.cat([stock.scorer.items, better]))
    model._shelf = Shelf(
        Vocabulary([*stock.items.ids(), "new"]),
        scorer,
        np.append(stock.train_counts, 0),
        Fields(pa.concat_tables([stock.fields.table, stock.fields.table.slice(0, 1)])),
        None,
        stock.nearest,
    )
    assert [row.item_id for row in model.recommend(["u3"], 2)] == ["new", first[0].item_id]
    model.remove_items([first[0].item_id])
    assert [row.item_id for row in model.recommend(["u3"], 2)] == ["new", first[1].item_id]


def test_there_is_no_index_of_few() -> None:
    stock = shelf()
    assert isinstance(stock.scorer, FactorScorer)
    assert Nearest.of(stock.scorer) is None
    assert nearest.EXACT == 200_000


def test_who_asks_once_is_answered_without_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Vocabulary([f"i{at}" for at in range(20)])
    some = np.arange(20)
    few = Interactions(Vocabulary(["a", "b"]), names, np.repeat([0, 1], 20), np.tile(some, 2))
    cliper.fit(Dataset("few", few, None), "bpr", out=tmp_path / "run", training={"max_epochs": 1})
    monkeypatch.setattr(nearest, "EXACT", 2)
    once = Recommender.load(tmp_path / "run", exact=True)
    assert once.shelf.nearest is None
    often = Recommender.load(tmp_path / "run")
    assert often.shelf.nearest is not None
    asked = {"history": ["i3"], "k": 5, "exclude_seen": False}
    assert once.recommend(**asked) == often.recommend(**asked)  # type: ignore[arg-type]
