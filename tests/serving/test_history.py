"""Histories and filters of a whole run, against brute force over every item."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_shop import KINDS, PRICES, N, shop

import cliper
from cliper.errors import InputError
from cliper.experiments.run.finished import Run
from cliper.scoring import FactorFoldIn, LeastSquares
from cliper.serving import Recommender


def trained(backbone: str, out: Path, catalogue: bool = True, **options: object) -> Run:
    is_trained = {"max_epochs": 2} if backbone in ("bpr", "sasrec") else {}
    return cliper.fit(shop(catalogue), backbone, out=out, options=options, training=is_trained)


@pytest.fixture(scope="module", params=["ease", "ials", "bpr", "sasrec"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(request.param, tmp_path_factory.mktemp("run") / request.param)


def brute_force(scores: np.ndarray, allowed: list[int], k: int) -> list[tuple[str, float]]:
    best = sorted(allowed, key=lambda i: (-scores[i], i))[:k]
    return [(f"i{i}", float(scores[i])) for i in best]


@pytest.mark.parametrize("exclude_seen", [True, False])
@pytest.mark.parametrize("pool", [None, range(10, 50)])
@pytest.mark.parametrize("cheap", [False, True])
def test_the_best_of_all_scores(
    run: Run, exclude_seen: bool, pool: range | None, cheap: bool
) -> None:
    model = run.recommender
    history = [30, 4, 12]
    assert model._shelf.fold_in is not None
    scores = model._shelf.fold_in.scorer([np.array(history)])(torch.tensor([0]))[0].numpy()
    allowed = [
        i
        for i in pool or range(N)
        if not (exclude_seen and i in history)
        and not (cheap and not (KINDS[i] in ("bag", "hat") and float(PRICES[i]) < 40))
    ]
    rows = model.recommend(
        history=[f"i{i}" for i in history],
        k=7,
        exclude_seen=exclude_seen,
        candidates=None if pool is None else [f"i{i}" for i in pool],
        where={"kind": ["bag", "hat"], "price": {"lt": 40}} if cheap else None,
    )
    found = [(r.item_id, r.score) for r in rows]
    expected = brute_force(scores, allowed, 7)
    assert [i for i, _ in found] == [i for i, _ in expected]
    assert [s for _, s in found] == pytest.approx([s for _, s in expected], rel=1e-5)
    assert [(r.query, r.rank) for r in rows] == [("", n) for n in range(1, len(rows) + 1)]


def test_known_users_are_filtered_inside_the_search(run: Run) -> None:
    model = run.recommender
    scores = model.scorer(torch.tensor([5]))[0].numpy()
    allowed = [i for i in range(N) if KINDS[i] == "hat" and i not in model.seen(5)]
    found = model.recommend(["u5"], N, where={"kind": "hat"})
    assert [r.item_id for r in found] == [i for i, _ in brute_force(scores, allowed, N)]
    near = model.similar_items(["i3"], 4, where={"price": {"ge": 60}})
    assert len(near) == 4
    assert all(float(PRICES[int(r.item_id[1:])]) >= 60 for r in near)


def test_nobody_with_a_history_is_recommended_what_is_popular(run: Run) -> None:
    counts = run.recommender.train_counts
    found = run.recommend(history=[], k=4)
    assert [(r.item_id, r.score) for r in found] == brute_force(counts, list(range(N)), 4)


def test_a_sequence_is_read_in_its_order(tmp_path: Path) -> None:
    model = trained("sasrec", tmp_path / "run", max_length=3).recommender

    def scores(*history: int) -> list[float]:
        taken = [f"i{i}" for i in history]
        rows = model.recommend(history=taken, k=N, exclude_seen=False)
        return [r.score for r in sorted(rows, key=lambda r: int(r.item_id[1:]))]

    assert scores(1, 2, 3) != scores(3, 2, 1)
    assert scores(9, 1, 2, 3) == scores(1, 2, 3)  # the last three are read
    assert scores(3, 1, 2, 3) == scores(1, 2, 3)  # the last time that 3 was taken counts


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "one of both"),
        ({"users": ["u1"], "history": ["i1"]}, "one of both"),
        ({"history": ["i1", "i99"]}, "unknown item 'i99'"),
        ({"history": ["i1"], "k": 0}, "k is 0"),
        ({"history": ["i1"], "k": 2.0}, "k is 2.0"),
        ({"history": [1]}, "not a text: the item 1 .ids are texts: '1'"),
        ({"history": 1}, "not a list of items"),
        ({"users": [None]}, "not a text: the user None"),
        ({"users": ["\ud800"]}, "not valid Unicode"),
        ({"history": ["i1"], "candidates": "i3x"}, "unknown item 'i3x'"),
        ({"history": ["i1"], "explain": "hist"}, "not a way to explain: 'hist'"),
        ({"history": ["i1"], "where": {"colour": "red"}}, "no field 'colour'"),
    ],
)
def test_what_cannot_be_asked(run: Run, asked: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run.recommender.recommend(**asked)  # type: ignore[arg-type]


def test_a_run_without_fields_or_without_fold_in_says_so(tmp_path: Path) -> None:
    bare = trained("ials", tmp_path / "bare", catalogue=False).recommender
    with pytest.raises(InputError, match="does not hold the items' fields"):
        bare.recommend(history=["i1"], where={"kind": "bag"})
    neural = Recommender.load(trained("neumf", tmp_path / "neumf").path)
    with pytest.raises(InputError, match="cannot recommend from a history"):
        neural.recommend(history=["i1"])
    assert len(neural.recommend(["u1"], 3, where={"kind": "bag"})) == 3


def test_shares_are_of_the_items_of_the_history_and_sum_to_one(run: Run) -> None:
    model = run.recommender
    history = [30, 4, 12]
    for row in model.recommend(history=[f"i{i}" for i in history], k=5, explain=True):
        assert row.reasons is not None
        found = {h.item_id: h.share for h in row.reasons.history}
        assert sum(found.values()) == pytest.approx(1, abs=1e-6)
        parts = by_hand(model, history, int(row.item_id[1:]))
        if sum(parts) <= 0:  # nothing to have a share of: sizes
            parts = [abs(part) for part in parts]
        expected = {f"i{i}": part / sum(parts) for i, part in zip(history, parts, strict=True)}
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        is_sequence = run.results.backbone == "sasrec"
        assert row.reasons.method == ("leave-one-out" if is_sequence else "sum")


def by_hand(model: Recommender, history: list[int], item: int) -> list[float]:
    """What each item of the history puts into the score, by another way than `parts`."""
    fold_in = model._shelf.fold_in
    assert fold_in is not None

    def score(taken: list[int]) -> float:
        return float(fold_in.scorer([np.array(taken, dtype=np.int64)])(torch.tensor([0]))[0, item])

    if not isinstance(fold_in, FactorFoldIn):  # linear in the history, or left out of it
        if fold_in.is_sum:
            return [score([one]) for one in history]
        return [score(history) - score([i for i in history if i != one]) for one in history]
    y = fold_in.known.items.detach().double().numpy()
    equation = fold_in.equation
    assert isinstance(equation, LeastSquares)
    a = y.T @ y
    a += equation.ridge * (np.diag(a).mean() if equation.relative else 1) * np.eye(len(a))
    for j in history:
        a += equation.confidence * np.outer(y[j], y[j])
    return [(1 + equation.confidence) * y[item] @ np.linalg.inv(a) @ y[j] for j in history]


def test_a_known_users_history_is_what_they_took_in_order(run: Run) -> None:
    row = run.recommender.recommend(["u7"], 1, explain=True)[0]
    assert row.reasons is not None
    taken = run.recommender.items.ids(run.recommender.seen(7))
    assert sorted(h.item_id for h in row.reasons.history) == sorted(taken)
    if run.results.backbone == "sasrec":  # the trained state is the state after that history
        again = run.recommender.recommend(history=taken, k=1)[0]
        assert again.item_id == row.item_id
        assert again.score == pytest.approx(row.score, rel=1e-4)


def test_nothing_rests_on_a_history_that_does_not_count(tmp_path: Path) -> None:
    model = trained("popularity", tmp_path / "run").recommender
    found = model.recommend(history=["i1"], k=2, explain=True) + model.recommend(
        history=[], k=2, explain=True
    )
    assert [row.reasons.history for row in found if row.reasons] == [()] * 4
