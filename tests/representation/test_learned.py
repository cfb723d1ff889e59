from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import approx_fprime

from cliper.data import Interactions, Vocabulary
from cliper.encoders.base import Encodings
from cliper.errors import InputError
from cliper.representation import learned
from cliper.representation.from_encodings import cliper_features
from cliper.representation.learned import (
    choose_share,
    item_factors,
    learn_weights,
    least_error,
    leave_one_out,
    spread,
    view_kernels,
)


def world(
    seed: int = 0, items: int = 150, users: int = 120, rows: int = 12, telling: int = 0
) -> tuple[Encodings, Interactions]:
    """Three views and a picture at random; users take the items nearest to them in one view."""
    g = np.random.default_rng(seed)
    text = g.normal(size=(3, items, 6)).astype(np.float32)
    image = g.normal(size=(items, 6)).astype(np.float32)
    names = Vocabulary([f"i{i}" for i in range(items)])
    there, pictured = g.random((3, items)) < 0.95, g.random(items) < 0.95
    text[~there], image[~pictured] = 0, 0
    encodings = Encodings(
        names.hash, "e", "k", ("title", "brand", "global"), text, there, image, pictured
    )
    content = text[telling] if telling >= 0 else g.normal(size=(items, 6))
    score = g.normal(size=(users, 6)) @ content.T + g.gumbel(size=(users, items))
    taken = np.argsort(-score, axis=1)[:, :rows]
    log = Interactions(
        Vocabulary([f"u{u}" for u in range(users)]),
        names,
        np.repeat(np.arange(users), rows),
        taken.ravel(),
    )
    return encodings, log


def small_kernels(seed: int) -> tuple[np.ndarray, np.ndarray]:
    encodings, _ = world(seed, items=25)
    targets = np.random.default_rng(seed).normal(size=(25, 3))
    return view_kernels(encodings, np.arange(25)), targets


@pytest.mark.parametrize("seed", range(5))
def test_leave_one_out_is_fitting_again_without_each_item(seed: int) -> None:
    kernels, targets = small_kernels(seed)
    logs, log_ridge = np.random.default_rng(seed).normal(size=4), 0.3
    k = np.tensordot(np.exp(logs), kernels, 1)
    missed = 0.0
    for i in range(25):
        others = np.delete(np.arange(25), i)
        system = k[np.ix_(others, others)] + np.exp(log_ridge) * np.eye(24)
        predicted = k[i, others] @ np.linalg.solve(system, targets[others])
        missed += ((targets[i] - predicted) ** 2).sum()
    error, _ = leave_one_out(kernels, targets, logs, log_ridge)
    assert error == pytest.approx(missed / (targets**2).sum(), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_gradient_against_finite_differences(seed: int) -> None:
    kernels, targets = small_kernels(seed)
    at = np.random.default_rng(seed).normal(size=5)
    _, gradient = leave_one_out(kernels, targets, at[:-1], at[-1])
    numeric = approx_fprime(
        at, lambda x: leave_one_out(kernels, targets, x[:-1], x[-1])[0], epsilon=1e-6
    )
    np.testing.assert_allclose(gradient, numeric, atol=2e-5)


def test_kernels_are_cosines_and_an_absent_view_is_like_nothing() -> None:
    encodings, _ = world()
    rows = np.array([3, 40, 77])
    kernels = view_kernels(encodings, rows)
    for j in range(3):
        x = torch.from_numpy(encodings.text[j][rows])
        cosine = torch.cosine_similarity(x[:, None], x[None], dim=-1).numpy()
        np.testing.assert_allclose(kernels[j], cosine, atol=1e-6)


def test_factors_are_the_best_of_their_rank() -> None:
    _, log = world()
    matrix = log.matrix().astype(float)
    _, s, vt = np.linalg.svd(matrix.toarray(), full_matrices=False)
    best = (vt[:64].T * s[:64] ** 2) @ vt[:64]
    factors = item_factors(matrix)
    np.testing.assert_allclose(factors @ factors.T, best, atol=1e-8)


@pytest.mark.parametrize("telling", [0, 1])
def test_the_view_that_tells_gets_the_weight(telling: int) -> None:
    encodings, log = world(telling=telling)
    found = learn_weights(encodings, log, seed=3)
    assert max(found.weights, key=lambda name: found.weights[name]) == encodings.views[telling]
    assert found.weights[encodings.views[telling]] > 2
    assert found.gain > 2 * found.error > 0
    assert np.mean(list(found.weights.values())) == pytest.approx(1)
    assert found == learn_weights(encodings, log, seed=3)


def test_where_content_tells_nothing_weights_stay_near_equal() -> None:
    shares = [learn_weights(*world(seed, telling=-1)).share for seed in range(6)]
    assert np.median(shares) == 0


def test_a_gain_within_its_error_is_none() -> None:
    g = np.random.default_rng(0)
    even = g.random((200, 1)).repeat(5, 1)
    assert choose_share(even) == (0.0, 0.0, 0.0)
    better = even + np.array([0, 0.01, 0.1, 0.05, -0.1])
    assert choose_share(better)[0] == learned.SHARES[2]
    noisy = even + np.concatenate([np.zeros((200, 1)), g.normal(0, 1, (200, 4))], axis=1) * 0.01
    assert choose_share(noisy - noisy.mean(0) + 0.5)[0] == 0


def test_items_are_sampled_and_cold_ones_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    encodings, log = world(items=400, users=300)
    cold = np.isin(log.item_index, np.arange(50))
    warm = log.select(~cold)
    monkeypatch.setattr(learned, "SAMPLE", 200)
    seen: list[np.ndarray] = []
    whole = view_kernels
    monkeypatch.setattr(
        learned, "view_kernels", lambda e, rows: seen.append(rows) or whole(e, rows)
    )
    found = learn_weights(encodings, warm)
    assert len(seen[0]) == 200 and seen[0].min() >= 50
    assert max(found.weights, key=lambda name: found.weights[name]) == "title"


def test_too_little_to_learn_from() -> None:
    encodings, log = world(items=150, users=10)
    assert set(learn_weights(encodings, log).weights.values()) == {1.0}


def test_equal_weights_are_concatenation() -> None:
    encodings, _ = world()
    equal = dict.fromkeys((*encodings.views, "image"), 1.0)
    ours = cliper_features(encodings, "learned", weights=equal)
    theirs = cliper_features(encodings, "concat")
    assert torch.equal(ours.tables["text"], theirs.tables["text"])
    unit = torch.nn.functional.normalize(torch.from_numpy(encodings.image), dim=1)
    pictured = torch.from_numpy(encodings.image_present)
    torch.testing.assert_close(ours.tables["image"][pictured], unit[pictured])


def test_inner_products_of_the_features_are_the_weighted_kernel() -> None:
    encodings, _ = world()
    whole = replace(
        encodings,
        text_present=np.ones_like(encodings.text_present),
        image_present=np.ones_like(encodings.image_present),
    )
    weights = {"title": 2.0, "brand": 0.5, "global": 0.25, "image": 1.25}
    features = cliper_features(whole, "learned", weights=weights)
    joined = torch.cat([features.tables["text"], features.tables["image"]], dim=1).double()
    kernels = view_kernels(whole, np.arange(150))
    expected = np.tensordot(list(weights.values()), kernels, 1)
    np.testing.assert_allclose((joined @ joined.T).numpy(), expected, atol=1e-5)
    assert features.mean_length("image") == features.mean_length("text")
    assert float(features.mean_length("text")) == pytest.approx(float(joined.norm(dim=1).mean()))


def test_refusals() -> None:
    encodings, _ = world()
    weights = dict.fromkeys((*encodings.views, "image"), 1.0)
    for bad in (None, {"title": 1.0}):
        with pytest.raises(InputError, match="a weight for each view"):
            cliper_features(encodings, "learned", weights=bad)
    with pytest.raises(InputError, match="no effect"):
        cliper_features(encodings, "concat", weights=weights)
    with pytest.raises(InputError, match="no effect"):
        cliper_features(encodings, "learned", normalize_views=False, weights=weights)


def test_shares_lie_between_equal_and_least_error() -> None:
    logs, _ = least_error(*small_kernels(0))
    assert spread(logs, 0.0) == pytest.approx(np.ones(4))
    np.testing.assert_allclose(spread(logs, 1.0), np.exp(logs), rtol=1e-9)
