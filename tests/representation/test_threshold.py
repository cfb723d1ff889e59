"""Views under a similarity are dropped: against a loop, and at its limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from torch import Tensor

from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.representation import cliper_features, explain
from cliper.representation.similarity import above, attention_weights, cosine, similarity

seeds = st.integers(0, 100_000)
properties = settings(deadline=None, max_examples=40)


def drawn(seed: int, views: int = 4, items: int = 9, width: int = 5) -> tuple[Tensor, ...]:
    g = torch.Generator().manual_seed(seed)
    return (
        torch.randn(views, items, width, generator=g),
        torch.randn(items, width, generator=g),
        torch.rand(views, items, generator=g) < 0.7,
        torch.rand(items, generator=g) < 0.8,
    )


def plain(
    text: Tensor, image: Tensor, seen: Tensor, pictured: Tensor, tau: float, threshold: float
) -> np.ndarray:
    """Item by item: drop what is under the threshold, keep the best if nothing is left."""
    weights = np.zeros((text.shape[1], len(text)))
    for i in range(text.shape[1]):
        cosines = {}
        for j in range(len(text)):
            if seen[j, i]:
                value = float(torch.cosine_similarity(text[j, i], image[i], dim=0))
                cosines[j] = value if pictured[i] else 0.0
        if not cosines:
            continue
        kept = [j for j, value in cosines.items() if value >= threshold]
        kept = kept or [j for j, value in cosines.items() if value == max(cosines.values())]
        weights[i, kept] = softmax(np.array([cosines[j] for j in kept]) / tau)
    return weights


@properties
@given(seeds, st.floats(0.05, 5), st.floats(-1.1, 1.1))
def test_against_a_loop(seed: int, tau: float, threshold: float) -> None:
    data = drawn(seed)
    weights = similarity(*data, temperature=tau, threshold=threshold)
    np.testing.assert_allclose(weights, plain(*data, tau, threshold), atol=2e-5)


@properties
@given(seeds, st.sampled_from([0.0, 0.1, math.inf]))
def test_minus_one_drops_nothing_and_above_one_leaves_the_best(seed: int, tau: float) -> None:
    data = drawn(seed)
    none = similarity(*data, temperature=tau)
    assert torch.equal(similarity(*data, temperature=tau, threshold=-1), none)
    best = similarity(*data, temperature=0.0)
    assert torch.equal(similarity(*data, temperature=tau, threshold=1.5), best)


def test_an_item_without_image_keeps_its_views_alike() -> None:
    text, image, _, _ = drawn(3, items=1)
    seen = torch.tensor([[True], [False], [True], [True]])
    weights = similarity(text, image, seen, torch.tensor([False]), 0.1, threshold=0.4)
    torch.testing.assert_close(weights, torch.tensor([[1 / 3, 0, 1 / 3, 1 / 3]]))


def test_no_view_at_all() -> None:
    nothing = torch.zeros(3, 0)
    assert above(nothing, nothing.bool(), 0.1).shape == (3, 0)
    absent = torch.zeros(3, 2, dtype=torch.bool)
    assert not above(torch.zeros(3, 2), absent, 0.1).any()


def encodings() -> Encodings:
    text, image, seen, pictured = (t.numpy() for t in drawn(1))
    text = np.where(seen[:, :, None], text, 0)
    names = ("a", "b", "c", "d")
    return Encodings("hash", "toy", "key", names, text, seen, image, pictured)


def test_features_carry_the_threshold_and_count_whom_it_touched() -> None:
    made = encodings()
    features = cliper_features(made, threshold=0.2)
    assert features.threshold == features.only("text").threshold == 0.2
    assert features.touched is not None
    weights = plain(*drawn(1), 0.1, 0.2)
    touched = sum(
        bool((made.text_present[:, i] & (weights[i] == 0)).any()) for i in range(len(weights))
    )
    assert features.touched["below the threshold: views dropped"] == touched > 0
    assert "below the threshold: views dropped" not in (cliper_features(made).touched or {})


def test_the_explanation_has_the_weights_of_the_features() -> None:
    made = encodings()
    items = range(len(made.image))
    rows = explain(made, items, threshold=0.2)
    text, image = torch.from_numpy(made.text), torch.from_numpy(made.image)
    present = torch.from_numpy(made.text_present).T
    cosines = cosine(text, image) * torch.from_numpy(made.image_present).unsqueeze(1)
    expected = attention_weights(cosines, above(cosines, present, 0.2), 0.1)
    torch.testing.assert_close(torch.tensor([[v.weight for v in row] for row in rows]), expected)


@pytest.mark.parametrize("threshold", [math.nan, math.inf])
def test_bad_thresholds(threshold: float) -> None:
    with pytest.raises(InputError, match="threshold"):
        cliper_features(encodings(), threshold=threshold)


def test_other_fusions_have_no_threshold() -> None:
    with pytest.raises(InputError, match="threshold has no effect on fusion 'sum'"):
        cliper_features(encodings(), "sum", threshold=0.1)
