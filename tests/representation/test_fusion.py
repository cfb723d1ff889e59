import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from torch import Tensor

from cliper.errors import InputError
from cliper.representation.fusion import (
    attention_fusion,
    concat_fusion,
    fill_missing,
    list_fusions,
    random_weights,
    sum_fusion,
)
from cliper.representation.similarity import similarity

seeds = st.integers(0, 100_000)
properties = settings(deadline=None, max_examples=40)


def drawn(seed: int, views: int = 4, items: int = 9, width: int = 5) -> tuple[Tensor, ...]:
    """Text (C, N, D), image (N, D) and both masks, with junk where a mask is False."""
    g = torch.Generator().manual_seed(seed)
    text = torch.randn(views, items, width, generator=g)
    image = torch.randn(items, width, generator=g)
    text_present = torch.rand(views, items, generator=g) < 0.7
    image_present = torch.rand(items, generator=g) < 0.8
    return text, image, text_present, image_present


def plain_weights(
    text: Tensor, image: Tensor, seen: Tensor, pictured: Tensor, tau: float
) -> np.ndarray:
    """Eq. 2 item by item, the softmax by SciPy."""
    weights = np.zeros((text.shape[1], len(text)))
    for i in range(text.shape[1]):
        views = [j for j in range(len(text)) if seen[j, i]]
        if not views:
            continue
        v = image[i].double().numpy()
        cosines = []
        for j in views:
            t = text[j, i].double().numpy()
            cosines.append(t @ v / np.linalg.norm(t) / np.linalg.norm(v) if pictured[i] else 0.0)
        weights[i, views] = softmax(np.array(cosines) / tau)
    return weights


@properties
@given(seeds, st.floats(0.02, 20), st.sampled_from([1, 4, 4096]))
def test_similarity_against_scipy(seed: int, tau: float, chunk: int) -> None:
    data = drawn(seed)
    weights = similarity(*data, temperature=tau, chunk=chunk)
    np.testing.assert_allclose(weights, plain_weights(*data, tau), atol=2e-5)
    assert (weights[~data[2].T] == 0).all()


@properties
@given(seeds)
def test_attention_against_torch_attention(seed: int) -> None:
    text, image, seen, pictured = drawn(seed)
    seen[0] = pictured[:] = True
    keys = torch.nn.functional.normalize(text, dim=-1).transpose(0, 1)
    query = torch.nn.functional.normalize(image, dim=-1).unsqueeze(1)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        query, keys, text.transpose(0, 1), attn_mask=seen.T.unsqueeze(1), scale=1 / 0.1
    )
    ours = attention_fusion(text, similarity(text, image, seen, pictured, 0.1))
    torch.testing.assert_close(ours, theirs.squeeze(1), atol=1e-5, rtol=1e-4)


@properties
@given(seeds)
def test_permuting_views_permutes_weights(seed: int) -> None:
    text, image, seen, pictured = drawn(seed)
    order = torch.randperm(len(text), generator=torch.Generator().manual_seed(seed))
    weights = similarity(text, image, seen, pictured, 0.1)
    permuted = similarity(text[order], image, seen[order], pictured, 0.1)
    torch.testing.assert_close(permuted, weights[:, order], atol=1e-6, rtol=1e-5)


@properties
@given(seeds, st.sampled_from([1e6, math.inf]))
def test_high_temperature_is_the_mean(seed: int, tau: float) -> None:
    text, image, seen, pictured = drawn(seed)
    fused = attention_fusion(text, similarity(text, image, seen, pictured, tau))
    for i in range(text.shape[1]):
        views = text[seen[:, i], i]
        mean = views.mean(0) if len(views) else torch.zeros(text.shape[2])
        torch.testing.assert_close(fused[i], mean, atol=1e-5, rtol=1e-4)


@properties
@given(seeds, st.sampled_from([0.0, 1e-30, 1e-300]))
def test_low_temperature_is_the_best_view(seed: int, tau: float) -> None:
    text, image, seen, pictured = drawn(seed)
    weights = similarity(text, image, seen, pictured, tau)
    cosines = torch.cosine_similarity(text, image, dim=-1).masked_fill(~seen, -math.inf)
    for i in range(text.shape[1]):
        if pictured[i] and seen[:, i].any():
            assert weights[i].argmax() == cosines[:, i].argmax()
            assert weights[i].max() == 1


@properties
@given(seeds)
def test_masked_views_weigh_nothing_whatever_they_hold(seed: int) -> None:
    text, image, seen, pictured = drawn(seed)
    junk = torch.where(seen.unsqueeze(2), text, torch.nan)
    weights = similarity(text, image, seen, pictured, 0.1)
    assert torch.equal(similarity(junk, image, seen, pictured, 0.1), weights)
    for a, b in (
        (attention_fusion(junk, weights), attention_fusion(text, weights)),
        (sum_fusion(junk, seen), sum_fusion(text, seen)),
        (concat_fusion(junk, seen), concat_fusion(text, seen)),
    ):
        assert torch.equal(a, b)


@properties
@given(seeds, st.floats(0, 10), st.booleans())
def test_attention_over_one_view_is_that_view(seed: int, tau: float, normalize: bool) -> None:
    text, image, seen, pictured = drawn(seed, views=1)
    seen[:] = True
    fused = attention_fusion(
        text, similarity(text, image, seen, pictured, tau), normalize=normalize
    )
    expected = torch.nn.functional.normalize(text[0], dim=-1) if normalize else text[0]
    torch.testing.assert_close(fused, expected)


@properties
@given(seeds, st.sampled_from([1, 4, 4096]), st.booleans())
def test_sum_and_concat_against_a_loop(seed: int, chunk: int, normalize: bool) -> None:
    text, _, seen, _ = drawn(seed)
    summed = sum_fusion(text, seen, normalize=normalize, chunk=chunk)
    beside = concat_fusion(text, seen, normalize=normalize, chunk=chunk)
    for i in range(text.shape[1]):
        views = []
        for j in range(len(text)):
            view = text[j, i] / text[j, i].norm() if normalize else text[j, i]
            views.append(view if seen[j, i] else torch.zeros_like(view))
        torch.testing.assert_close(summed[i], torch.stack(views).sum(0), atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(beside[i], torch.cat(views))


def test_zero_vectors_give_numbers() -> None:
    text, image = torch.zeros(2, 3, 4), torch.zeros(3, 4)
    everything = torch.ones(2, 3, dtype=torch.bool), torch.ones(3, dtype=torch.bool)
    for tau in (0.0, 0.1, math.inf):
        weights = similarity(text, image, *everything, tau)
        assert torch.equal(weights, torch.full((3, 2), 0.5))
        assert torch.equal(attention_fusion(text, weights, normalize=True), torch.zeros(3, 4))


def test_missing_rows_get_the_mean() -> None:
    table = torch.tensor([[1.0, 2.0], [9.0, 9.0], [3.0, 4.0]])
    filled, count = fill_missing(table, torch.tensor([True, False, True]))
    assert filled.tolist() == [[1, 2], [2, 3], [3, 4]]
    assert count == 1
    assert table[1].tolist() == [9, 9]
    nothing, count = fill_missing(table, torch.zeros(3, dtype=torch.bool))
    assert nothing.abs().sum() == 0
    assert count == 3


@pytest.mark.parametrize("tau", [-0.1, math.nan, -math.inf])
def test_bad_temperatures(tau: float) -> None:
    with pytest.raises(InputError, match="temperature"):
        similarity(*drawn(0), temperature=tau)


def test_fusions_are_listed() -> None:
    assert {row["name"] for row in list_fusions()} == {
        *("attention", "sum", "concat", "mlp", "learned", "random")
    }


def test_random_weights_are_even_on_the_simplex_of_present_views() -> None:
    seen = torch.rand(3, 20_000, generator=torch.Generator().manual_seed(1)) < 0.7
    weights = random_weights(seen, seed=2)
    assert (weights[~seen.T] == 0).all()
    whole = weights[seen.all(0)]
    torch.testing.assert_close(whole.sum(1), torch.ones(len(whole)))
    # Dirichlet(1, 1, 1): mean 1/3, variance 1/18.
    torch.testing.assert_close(whole.mean(0), torch.full((3,), 1 / 3), atol=0.01, rtol=0)
    torch.testing.assert_close(whole.var(0), torch.full((3,), 1 / 18), atol=0.004, rtol=0)
    assert not torch.equal(weights, random_weights(seen, seed=3))
