"""Draws by number: against SciPy's distributions, without repeats, and in order for a grid."""

import numpy as np
import optuna
import pytest
from scipy import stats

from cliper.experiments.search import Choice, Range
from cliper.experiments.search.sampler import NumberedSampler, _draw, distribution
from cliper.experiments.search.space import combinations

GRID = {"a": Choice((1, 2, 3)), "b": Choice(("x", "y")), "c": Range(1, 4, integer=True)}


def study_of(sampler: NumberedSampler, space, trials: int, value=lambda p: 0.0) -> list[dict]:
    study = optuna.create_study(direction="maximize", sampler=sampler)
    kinds = {key: distribution(one) for key, one in space.items()}
    for _ in range(trials):
        trial = study.ask(kinds)
        study.tell(trial, value(trial.params))
    return [trial.params for trial in study.trials]


def test_draws_are_as_distributed_as_they_say() -> None:
    generator = np.random.default_rng(0)
    log = [_draw(Range(1e-4, 1e-1, log=True), generator) for _ in range(4000)]
    assert stats.kstest(log, stats.loguniform(1e-4, 1e-1).cdf).pvalue > 0.01
    even = [_draw(Range(2.0, 5.0), generator) for _ in range(4000)]
    assert stats.kstest(even, stats.uniform(2, 3).cdf).pvalue > 0.01
    whole = [_draw(Range(1, 4, integer=True), generator) for _ in range(4000)]
    assert stats.chisquare(np.bincount(whole)[1:]).pvalue > 0.01
    chosen = [_draw(Choice("xyz"), generator) for _ in range(4000)]
    assert stats.chisquare([chosen.count(v) for v in "xyz"]).pvalue > 0.01
    logs = [_draw(Range(1, 8, log=True, integer=True), generator) for _ in range(4000)]
    edges = np.log(np.arange(0.5, 9))
    expected = 4000 * np.diff(edges) / (edges[-1] - edges[0])
    assert stats.chisquare(np.bincount(logs)[1:], expected).pvalue > 0.01


@pytest.mark.parametrize("kind", ["tpe", "random", "grid"])
def test_a_finite_space_is_tried_once_through(kind: str) -> None:
    """Also where one value is so much better that TPE would draw it again and again."""
    tried = study_of(NumberedSampler(GRID, kind, 3), GRID, 24, lambda p: float(p["a"] == 2))
    every = [tuple(c.values()) for c in combinations(GRID)]
    got = [tuple(params[key] for key in GRID) for params in tried]
    assert sorted(got) == sorted(every)
    if kind == "grid":
        assert got == every


def test_tpe_goes_where_it_is_good() -> None:
    space = {"x": Range(0.0, 1.0), "y": Range(0.0, 1.0)}

    def good(params: dict[str, float]) -> float:
        return -((params["x"] - 0.3) ** 2) - (params["y"] - 0.8) ** 2

    by_tpe = study_of(NumberedSampler(space, "tpe", 0), space, 50, good)
    by_chance = study_of(NumberedSampler(space, "random", 0), space, 50, good)
    assert by_tpe[:10] == by_chance[:10]
    late = [np.mean([good(p) for p in tried[25:]]) for tried in (by_tpe, by_chance)]
    assert late[0] > late[1] / 2  # both are negative


def test_seeds_differ_and_repeat() -> None:
    space = {"x": Range(0.0, 1.0)}
    first, again, other = (
        study_of(NumberedSampler(space, "tpe", seed), space, 15, lambda p: p["x"])
        for seed in (0, 0, 1)
    )
    assert first == again != other
