"""Users and seeds drawn again: against a loop over the same counts, and where it is known."""

import numpy as np
import pytest

from cliper.errors import MismatchError
from cliper.experiments.statistics.resample import interval, resample


def arms(seed: int = 0, shift: float = 0.0) -> dict:
    """Two arms on the same users, a third on others; three seeds with other users each."""
    rng = np.random.default_rng(seed)
    result: dict[str, list] = {"a": [], "b": [], "c": []}
    for _ in range(3):
        users = np.sort(rng.permutation(40)[:25])
        values = rng.random(25)
        result["a"].append((users, values))
        result["b"].append((users, values + shift + 0.1 * rng.random(25)))
        result["c"].append((np.sort(rng.permutation(40)[:10]), rng.random(10)))
    return result


def test_draws_against_a_loop() -> None:
    made = arms()
    samples = resample(made, draws=7, seed=5)
    known = sorted({int(u) for sides in made.values() for users, _ in sides for u in users})
    generator = np.random.default_rng(5)
    weights = generator.multinomial(len(known), [1 / len(known)] * len(known), 7)
    turns = generator.multinomial(3, [1 / 3] * 3, 7)
    for b in range(7):
        for label, sides in made.items():
            total = 0.0
            for s, (users, values) in enumerate(sides):
                counts = [weights[b][known.index(int(u))] for u in users]
                mean = sum(c * v for c, v in zip(counts, values, strict=True)) / sum(counts)
                total += turns[b][s] * mean
            assert samples.column(label)[b] == pytest.approx(total / 3)
    for label, sides in made.items():
        assert samples.mean(label) == pytest.approx(np.mean([v.mean() for _, v in sides]))


def test_more_draws_than_a_chunk_are_no_other_kind_of_draws() -> None:
    samples = resample(arms(), draws=250)
    assert samples.draws.shape == (250, 3)
    assert np.isfinite(samples.draws).all()
    assert len(np.unique(samples.draws[:, 0])) > 200


def test_a_constant_shift_has_no_width_and_orders_are_certain() -> None:
    rng = np.random.default_rng(1)
    users, values = np.arange(30), rng.random(30)
    made = {name: [(users, values + by)] * 2 for name, by in (("x", 0.2), ("y", 0.1), ("z", 0.0))}
    samples = resample(made, draws=300)
    assert samples.difference("x", "z") == pytest.approx((0.2, 0.2, 0.2))
    assert samples.probability(["x", "y", "z"]) == 1 and samples.probability(["y", "x", "z"]) == 0
    assert samples.probability_best("x", ["x", "y", "z"]) == 1
    assert samples.probability_worst("z", ["x", "y", "z"]) == 1
    assert samples.probability_all_above(["x", "y"], "z") == 1
    assert samples.probability_all_above(["x", "z"], "y") == 0
    assert samples.ranked() == ["x", "y", "z"]


def test_one_seed_gives_the_normal_interval_of_a_mean() -> None:
    """With one seed it is the plain bootstrap over users: about 1.96 standard errors each way."""
    rng = np.random.default_rng(2)
    values = rng.normal(size=400)
    samples = resample({"a": [(np.arange(400), values)]}, draws=4000)
    low, high = interval(samples.column("a"))
    error = values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_many_seeds_widen_the_interval_by_how_much_they_differ() -> None:
    """Users alike, seeds not: the interval is that of a mean over seeds."""
    rng = np.random.default_rng(3)
    levels = rng.normal(size=60)
    sides = [(np.arange(50), np.full(50, level)) for level in levels]
    low, high = interval(resample({"a": sides}, draws=4000).column("a"))
    error = levels.std(ddof=1) / 60**0.5
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_other_seeds_are_refused() -> None:
    made = arms()
    with pytest.raises(MismatchError, match="number of seeds"):
        resample({"a": made["a"], "b": made["b"][:2]})
