import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.errors import CliperError
from cliper.ranking import top_k


def by_sorting(scores: np.ndarray, k: int) -> np.ndarray:
    """NumPy's stable lexicographic sort as the outside rule."""
    result = np.full((len(scores), k), -1)
    for i, row in enumerate(scores):
        order = [j for j in np.lexsort((np.arange(len(row)), -row)) if row[j] > -math.inf][:k]
        result[i, : len(order)] = order
    return result


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_ties_and_masks_against_a_sort(data: st.DataObject) -> None:
    rows, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 40))
    k = data.draw(st.integers(1, 45))
    # few distinct values, so that ties fall everywhere and at the cut
    level = st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 2.0])
    flat = data.draw(st.lists(level, min_size=rows * n, max_size=rows * n))
    scores = np.array(flat, dtype=np.float32).reshape(rows, n)
    before = scores.copy()
    values, columns = top_k(torch.from_numpy(scores), k)
    expected = by_sorting(scores, k)
    np.testing.assert_array_equal(columns, expected)
    picked = np.take_along_axis(scores, np.maximum(expected, 0), 1)
    np.testing.assert_array_equal(values, np.where(expected >= 0, picked, -math.inf))
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize("n", [100, 3000])
def test_many_rows_with_ties_at_the_cut(n: int) -> None:
    scores = np.random.default_rng(0).integers(0, 30, (64, n)).astype(np.float32)
    scores[:5] = 0
    np.testing.assert_array_equal(top_k(torch.from_numpy(scores), 20)[1], by_sorting(scores, 20))


def test_nan_is_refused() -> None:
    with pytest.raises(CliperError, match="NaN"):
        top_k(torch.tensor([[1.0, math.nan, 3.0]]), 2)


def test_no_columns() -> None:
    values, columns = top_k(torch.empty(2, 0), 3)
    assert columns.tolist() == [[-1] * 3] * 2
    assert values.tolist() == [[-math.inf] * 3] * 2
