"""Paired tests against SciPy, Holm's correction against its rule worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from cliper.experiments.statistics.significance import Spread, holm, paired_test, seed_test


def side(*values: list[float]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.arange(len(v)), np.array(v)) for v in values]


def test_users_are_averaged_over_seeds_before_they_are_tested() -> None:
    ours = side([0.2, 0.4, 0.9], [0.4, 0.4, 0.7])
    theirs = side([0.1, 0.4, 0.5], [0.1, 0.2, 0.5])
    result = paired_test(ours, theirs)
    expected = stats.ttest_rel([0.3, 0.4, 0.8], [0.1, 0.3, 0.5]).pvalue
    assert result.p_users == pytest.approx(expected)
    seeds = stats.ttest_rel([1.5 / 3, 1.5 / 3], [1.0 / 3, 0.8 / 3]).pvalue
    assert result.p_seeds == pytest.approx(seeds)
    assert result.lift == pytest.approx((0.5 - 0.3) / 0.3)


def test_users_who_differ_between_seeds_are_paired_by_who_they_are() -> None:
    ours = [(np.array([0, 2]), np.array([1.0, 0.0])), (np.array([1]), np.array([0.5]))]
    theirs = [(np.array([2, 0]), np.array([0.2, 0.3])), (np.array([1]), np.array([0.5]))]
    expected = stats.ttest_rel([1.0, 0.5, 0.0], [0.3, 0.5, 0.2]).pvalue
    assert paired_test(ours, theirs).p_users == pytest.approx(expected)


def test_equal_models_do_not_differ() -> None:
    result = paired_test(side([0.5, 0.1]), side([0.5, 0.1]))
    assert (result.difference, result.p_users, result.p_seeds) == (0.0, None, None)


def test_holm_as_published() -> None:
    """Holm 1979: p sorted times (m - rank), never falling, at most 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, None, 0.8]) == [1.0, None, 1.0]


def test_corrected_resampled_t_by_hand() -> None:
    """Nadeau and Bengio 2003: t = mean / sqrt((1/J + n2/n1) s²), J - 1 degrees of freedom."""
    ours, theirs = np.array([0.31, 0.35, 0.30, 0.33]), np.array([0.30, 0.31, 0.31, 0.30])
    d = ours - theirs
    t = d.mean() / np.sqrt((1 / 4 + 2 / 7) * d.var(ddof=1))
    assert seed_test(ours, theirs, 2 / 7).p == pytest.approx(2 * stats.t.sf(t, 3))
    assert seed_test(ours, theirs).p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
    spread = Spread.of(d, 2 / 7)
    assert d.mean() - spread.half == pytest.approx(
        stats.t.interval(0.95, 3, d.mean(), spread.error)[0]
    )


def folds_of_two_equal_learners(
    generator: np.random.Generator, n: int = 100, times: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of two learners that are equally good on n - n/5 numbers, fold by fold.

    One predicts the training mean, whose expected error is 1 + 1/n_train; the other a constant
    that is off by 1/sqrt(n_train).
    """
    z, errors = generator.normal(size=n), []
    for _ in range(times):
        for test in np.array_split(generator.permutation(n), 5):
            train = np.delete(z, test)
            mean, constant = train.mean(), len(train) ** -0.5
            errors.append([((z[test] - guess) ** 2).mean() for guess in (mean, constant)])
    both = np.array(errors)
    return both[:, 0], both[:, 1]


def test_folds_find_no_difference_where_there_is_none() -> None:
    generator = np.random.default_rng(0)
    found = {0.0: 0, 1 / 4: 0}
    for _ in range(600):
        ours, theirs = folds_of_two_equal_learners(generator)
        for overlap in found:
            p = seed_test(ours, theirs, overlap).p
            found[overlap] += p is not None and p < 0.05
    assert found[0.0] / 600 > 0.12  # the plain test sees what is not there
    assert found[1 / 4] / 600 < 0.08


@pytest.mark.parametrize("times", [5, 15])
def test_level_and_power_under_the_correlation_that_the_correction_assumes(times: int) -> None:
    """Differences correlated by rho = overlap / (1 + overlap): the t is exact there."""
    generator, overlap = np.random.default_rng(1), 2 / 7
    rho = overlap / (1 + overlap)
    shared = generator.normal(0, rho**0.5, (4000, 1))
    d = shared + generator.normal(0, (1 - rho) ** 0.5, (4000, times))
    zero = np.zeros(times)
    level = np.mean([seed_test(row, zero, overlap).p < 0.05 for row in d])  # type: ignore[operator]
    assert level == pytest.approx(0.05, abs=0.012)
    smallest = np.sqrt(np.mean([Spread.of(row, overlap).smallest ** 2 for row in d]))
    power = np.mean([seed_test(row + smallest, zero, overlap).p < 0.05 for row in d])  # type: ignore[operator]
    assert power == pytest.approx(0.8, abs=0.07)
