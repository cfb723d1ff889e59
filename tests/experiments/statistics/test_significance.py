"""Paired tests against SciPy, Holm's correction against its rule worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from cliper.experiments.statistics.significance import holm, paired_test


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
