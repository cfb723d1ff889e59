"""Ranks of similarities and their correlation: against loops, SciPy and every permutation."""

from itertools import permutations

import numpy as np
import pytest
from noisy_views import NOISE, VIEWS
from scipy import stats

from cliper.experiments.statistics.correlation import rank_correlation, spearman
from cliper.experiments.studies.similarity import importance, similarity_ranks
from cliper.representation.represent import encodings_of


def test_ranks_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    cosines = np.round(rng.random((30, 5)), 1).astype(np.float32)  # ties occur
    known = rng.random((30, 5)) < 0.7
    ranks = similarity_ranks(cosines, known)
    for i in range(30):
        for j in range(5):
            if not known[i, j]:
                assert ranks[i, j] == -1
                continue
            others = [cosines[i, k] for k in range(5) if known[i, k]]
            assert ranks[i, j] == sum(value > cosines[i, j] for value in others)


def test_the_heatmap_of_a_dataset_against_a_loop(studies) -> None:
    setting = studies["importance"].measured.setting
    found = importance(setting)
    encodings = encodings_of(setting.dataset, setting.config(setting.cliper("x"), 0).representation)
    counts = np.zeros((len(VIEWS), len(VIEWS)), dtype=int)
    n_items = 0
    for i in range(len(encodings.image)):
        views = [j for j in range(len(VIEWS)) if encodings.text_present[j, i]]
        if not encodings.image_present[i] or len(views) < 2:
            continue
        n_items += 1
        v = encodings.image[i] / np.linalg.norm(encodings.image[i])
        cosines = {j: float(encodings.text[j, i] / np.linalg.norm(encodings.text[j, i]) @ v)
                   for j in views}  # fmt: skip
        for rank, j in enumerate(sorted(views, key=lambda j: -cosines[j])):
            counts[rank, j] += 1
    assert n_items < len(encodings.image)  # some have no picture
    np.testing.assert_array_equal(found.counts, counts)
    assert found.sums.tolist() == [sum(r * counts[r, j] for r in range(4)) for j in range(4)]
    assert found.means == pytest.approx(found.sums / counts.sum(axis=0))
    # the less noise, the more similar
    assert found.ordered() == [VIEWS[j] for j in np.argsort(NOISE)]
    rows = studies["importance"].details[0].rows
    assert [tuple(int(c.replace(",", "")) for c in row[1:]) for row in rows[:4]] == [
        tuple(row) for row in counts.tolist()
    ]


def test_the_correlation_is_that_of_similarity_and_loss(studies) -> None:
    result = studies["importance"]
    found = importance(result.measured.setting)
    samples = result.measured.samples
    losses = [samples.mean("all views") - samples.mean(f"without {v}") for v in VIEWS]
    expected = stats.spearmanr(-found.means, losses).statistic
    numbers = result.findings[-1].numbers
    assert numbers["rho"] == pytest.approx(expected)
    assert -1 <= numbers["low"] <= numbers["high"] <= 1


@pytest.mark.parametrize("seed", range(5))
def test_the_permutation_test_tries_every_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.random(5), np.round(rng.random(5), 1)
    result = rank_correlation(x, y, rng.random((50, 5)), rng.random((50, 5)))
    rho = stats.spearmanr(x, y).statistic
    assert result.rho == pytest.approx(rho)
    values = np.array([stats.spearmanr(p, y).statistic for p in permutations(x)])
    upper, lower = (values >= rho - 1e-9).mean(), (values <= rho + 1e-9).mean()
    assert result.p == pytest.approx(min(1, 2 * min(upper, lower)))
    assert result.least_p == 2 / 120


def test_spearman_of_many_rows_is_scipys() -> None:
    rng = np.random.default_rng(4)
    x, y = np.round(rng.random((20, 6)), 1), rng.random((20, 6))
    expected = [stats.spearmanr(a, b).statistic for a, b in zip(x, y, strict=True)]
    assert spearman(x, y) == pytest.approx(expected)


def test_losses_that_are_all_equal_say_nothing() -> None:
    flat = rank_correlation(np.arange(4.0), np.zeros(4), np.ones((9, 4)), np.ones((9, 4)))
    assert (flat.rho, flat.p, flat.low, flat.high, flat.verdict) == (None, None, -1, 1, "open")
