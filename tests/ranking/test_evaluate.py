import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.data import Interactions, Vocabulary
from cliper.errors import InputError, MismatchError
from cliper.ranking import Evaluation, FactorScorer, evaluate, rank

USERS, ITEMS = 30, 25


def interactions(rows: np.ndarray, items: int = ITEMS, users: int = USERS) -> Interactions:
    """The pairs where `rows` (M, N) is True."""
    user, item = np.nonzero(rows)
    return Interactions(
        Vocabulary([f"u{i}" for i in range(users)]),
        Vocabulary([f"i{i}" for i in range(items)]),
        user,
        item,
    )


def world(seed: int) -> tuple[FactorScorer, np.ndarray, np.ndarray, np.ndarray]:
    """Small integer factors (exact products, many ties) and three disjoint parts."""
    rng = np.random.default_rng(seed)
    users = torch.from_numpy(rng.integers(-2, 3, (USERS, 3)).astype(np.float32))
    items = torch.from_numpy(rng.integers(-2, 3, (ITEMS, 3)).astype(np.float32))
    part = rng.choice(4, size=(USERS, ITEMS), p=[0.6, 0.2, 0.1, 0.1])
    part[:4] %= 2  # users with nothing held out
    return FactorScorer(users, items), part == 1, part == 2, part == 3


def brute_force(
    scores: np.ndarray,
    relevant: np.ndarray,
    masked: np.ndarray,
    ks: tuple[int, ...],
    candidates: list[int],
) -> dict[str, list[float]]:
    """User by user, item by item."""
    result: dict[str, list[float]] = {f"{m}@{k}": [] for m in ("recall", "ndcg") for k in ks}
    for u in range(len(scores)):
        wanted = {i for i in candidates if relevant[u, i]}
        if not wanted:
            continue
        left = [i for i in candidates if not masked[u, i]]
        left.sort(key=lambda i: (-scores[u, i], i))
        for k in ks:
            gains = [1 / math.log2(r + 2) for r, i in enumerate(left[:k]) if i in wanted]
            ideal = sum(1 / math.log2(r + 2) for r in range(min(len(wanted), k)))
            result[f"recall@{k}"].append(len(gains) / len(wanted))
            result[f"ndcg@{k}"].append(sum(gains) / ideal)
    return result


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    chunk=st.sampled_from([1, 7, 256]),
    with_valid=st.booleans(),
    cold=st.booleans(),
    as_function=st.booleans(),
)
def test_against_a_plain_loop(
    seed: int, chunk: int, with_valid: bool, cold: bool, as_function: bool
) -> None:
    scorer, train, valid, test = world(seed)
    ks = (1, 5, 60)
    chosen = sorted(np.random.default_rng(seed).permutation(ITEMS)[:9].tolist())
    scores = (scorer.users @ scorer.items.T).numpy()
    found = evaluate(
        (lambda users: torch.from_numpy(scores)[users]) if as_function else scorer,
        interactions(test),
        train=interactions(train),
        valid=interactions(valid) if with_valid else None,
        candidates=chosen if cold else None,
        ks=ks,
        chunk_size=chunk,
    )
    masked = train | valid if with_valid else train
    expected = brute_force(scores, test, masked, ks, chosen if cold else list(range(ITEMS)))
    for key, values in expected.items():
        np.testing.assert_allclose(found.per_user[key], values, rtol=1e-12)
        assert found.metrics[key] == pytest.approx(np.mean(values), rel=1e-12)
    outside = test.sum() - test[:, chosen].sum() if cold else 0
    assert found.n_outside == outside


def test_chunks_do_not_change_a_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    scorer = FactorScorer(
        torch.randn(USERS, 16, generator=generator), torch.randn(ITEMS, 16, generator=generator)
    )
    _, train, _, test = world(0)
    parts = interactions(test), interactions(train)

    def run(chunk: int) -> Evaluation:
        return evaluate(scorer, parts[0], train=parts[1], chunk_size=chunk)

    whole = run(10_000)
    for chunk in (1, 3, 8, 29):
        assert run(chunk).metrics == whole.metrics
        for key, values in whole.per_user.items():
            np.testing.assert_array_equal(run(chunk).per_user[key], values)


def test_masked_items_are_never_returned() -> None:
    scorer, train, *_ = world(3)
    train[7] = True  # a user with nothing left
    ranking = rank(scorer, np.arange(USERS), ITEMS, exclude=[interactions(train)])
    for user, row in enumerate(ranking.items):
        taken = row[row >= 0]
        assert not train[user, taken].any()
        assert len(taken) == (~train[user]).sum()
    assert (ranking.items[7] == -1).all()
    assert np.isneginf(ranking.scores[7]).all()


def test_users_in_any_order_and_repeated() -> None:
    scorer, train, *_ = world(4)
    whole = rank(scorer, np.arange(USERS), 5, exclude=[interactions(train)])
    some = [9, 2, 2, 29]
    part = rank(scorer, some, 5, exclude=[interactions(train)], chunk_size=3)
    np.testing.assert_array_equal(part.items, whole.items[some])
    np.testing.assert_array_equal(part.scores, whole.scores[some])


def test_a_score_function_keeps_its_memory() -> None:
    scorer, train, *_ = world(5)
    scores = scorer.users @ scorer.items.T
    before = scores.clone()
    rank(lambda users: scores, np.arange(USERS), 5, exclude=[interactions(train)])
    assert torch.equal(scores, before)


def test_minus_infinity_from_the_model_is_no_hit() -> None:
    relevant = np.zeros((USERS, ITEMS), dtype=bool)
    relevant[0, 3] = True
    found = evaluate(
        lambda users: torch.full((len(users), ITEMS), -math.inf), interactions(relevant), ks=(50,)
    )
    assert found.metrics == {"recall@50": 0.0, "ndcg@50": 0.0}


def test_bad_input_is_one_line() -> None:
    scorer, train, _, test = world(6)
    part = interactions(test)
    with pytest.raises(InputError, match="twice"):
        rank(scorer, [0], 5, candidates=[1, 1])
    with pytest.raises(InputError, match="not one of the 25 items"):
        rank(scorer, [0], 5, candidates=[ITEMS])
    with pytest.raises(InputError, match="not one of the 25 items"):
        evaluate(scorer, part, candidates=[-1])
    with pytest.raises(InputError, match="at least 1"):
        rank(scorer, [0], 0)
    with pytest.raises(InputError, match="no user has a relevant item"):
        evaluate(scorer, interactions(test & False))
    with pytest.raises(MismatchError):
        other = interactions(train[:, :-1], items=ITEMS - 1)
        evaluate(scorer, part, train=other)
    with pytest.raises(MismatchError):
        evaluate(FactorScorer(scorer.users, scorer.items[1:]), part, train=interactions(train))
