"""content-als against refits without each item, scikit-learn's kernel ridge, and the teachers."""

import numpy as np
import pytest
import torch
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import cosine_similarity

from cliper.backbones import create_backbone
from cliper.backbones.content_als import (
    ContentAlsConfig,
    dual_factors,
    learn,
    leave_one_out,
    teachers,
)
from cliper.backbones.content_kernels import ContentKernels
from cliper.testing.conformance import BackboneConformance
from cliper.testing.world import toy_world


class TestContentAls(BackboneConformance):
    backbone = "content-als"
    options = {"embedding_size": 8}  # noqa: RUF012
    alternatives = {"landmarks": 20, "steps": 5}  # noqa: RUF012


@pytest.fixture(scope="module")
def world():
    return toy_world()


@pytest.fixture(scope="module")
def kernels(world) -> ContentKernels:
    return ContentKernels(world.features, world.fields, world.train.item_counts() > 0)


def random_kernel(generator: torch.Generator, n: int) -> torch.Tensor:
    rows = torch.rand(n, n + 2, generator=generator, dtype=torch.float64)
    return rows @ rows.T


def test_leave_one_out_is_a_refit_without_each_item() -> None:
    g = torch.Generator().manual_seed(0)
    kernel = random_kernel(g, 9)
    targets = torch.rand(4, 9, generator=g, dtype=torch.float64)
    found = leave_one_out(kernel, torch.tensor(0.7, dtype=torch.float64), targets)
    for item in range(9):
        rest = [at for at in range(9) if at != item]
        ridge = KernelRidge(alpha=0.7, kernel="precomputed")
        ridge.fit(kernel[rest][:, rest].numpy(), targets[:, rest].T.numpy())
        expected = ridge.predict(kernel[item][rest][None].numpy())[0]
        np.testing.assert_allclose(found[:, item].numpy(), expected, rtol=1e-8)


def test_teachers_are_the_two_closed_forms(world) -> None:
    warm = np.flatnonzero(world.train.item_counts())
    config = ContentAlsConfig(embedding_size=64)
    x, y = teachers(config, world.train, warm)
    ials = create_backbone(
        "ials", world.train, options={"confidence": 10.0, "ridge": 20.0, "embedding_size": 64}
    ).scorer()
    ease = create_backbone("ease", world.train, options={"ridge": 300.0}).scorer()
    everybody = torch.arange(world.train.n_users)
    total = torch.zeros(world.train.n_users, len(warm), dtype=torch.float64)
    for one in (ials, ease):
        scores = one(everybody)[:, warm].double()
        total += scores / scores.square().mean().sqrt()
    u, s, vt = torch.linalg.svd(total, full_matrices=False)
    d = x.shape[1]
    best = (u[:, :d] * s[:d]) @ vt[:d]
    # iALS starts from other numbers where there are other items: sweeps end where they end
    assert (x.double() @ y.T.double() - best).norm() < 0.02 * best.norm()
    torch.testing.assert_close(y.T @ y, torch.eye(d), atol=1e-4, rtol=0)


def test_kernels_are_scikit_learns(world, kernels: ContentKernels) -> None:
    rows, others = np.array([3, 50, 7]), np.arange(world.train.n_items)
    found = [kernel.numpy() for kernel in kernels.between(rows, others)]
    assert len(found) == 1 + 2 * 2 + len(world.fields.names) + 2
    at = 1
    for modality in ("image", "text"):
        table = world.features.tables[modality].double().numpy()
        unit = table / np.linalg.norm(table, axis=1, keepdims=True)
        np.testing.assert_allclose(found[at], cosine_similarity(unit[rows], unit), atol=1e-5)
        # exp(6 (c − 1)) is the RBF kernel of unit rows: ‖a − b‖² = 2 − 2c
        sharp = RBF(np.sqrt(1 / 6))(unit[rows], unit)
        np.testing.assert_allclose(found[at + 1], sharp, atol=1e-5)
        at += 2
    warm = np.flatnonzero(world.train.item_counts())
    matrix = world.fields.matrix.toarray()
    counts = matrix[warm].sum(0)
    weighted = matrix * np.where(counts > 0, np.log((1 + len(warm)) / np.maximum(counts, 1)), 0)
    for name in world.fields.names:
        own = weighted[:, world.fields.columns(name)]
        np.testing.assert_allclose(found[at], cosine_similarity(own[rows], own), atol=1e-5)
        at += 1
    for kernel in found:
        assert kernel.max() <= 1 + 1e-6


def test_the_support_that_is_everything_gives_kernel_ridge(world, kernels) -> None:
    warm = np.flatnonzero(world.train.item_counts())
    cold = np.flatnonzero(world.train.item_counts() == 0)
    g = torch.Generator().manual_seed(1)
    factors = torch.rand(len(warm), 3, generator=g)
    weights, noise = torch.rand(len(list(kernels.between(warm[:1], warm)))), torch.tensor(0.5)
    exact = dual_factors(kernels, weights, noise, warm, warm, factors)
    ridge = KernelRidge(alpha=0.5, kernel="precomputed")
    ridge.fit(kernels.summed(weights, warm, warm).numpy(), factors.numpy())
    expected = ridge.predict(kernels.summed(weights, cold, warm).numpy())
    found = kernels.summed(weights, cold, warm) @ exact
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)
    # and most of the warm items as a support come near it (a constant has 1)
    some = np.sort(np.random.default_rng(0).permutation(warm)[: len(warm) * 4 // 5])
    fewer = kernels.summed(weights, cold, some) @ dual_factors(
        kernels, weights, noise, warm, some, factors
    )
    assert (fewer.numpy() - expected).std() < 0.4 * expected.std()


def test_weights_go_to_the_kernel_that_tells() -> None:
    g = torch.Generator().manual_seed(2)
    group = torch.arange(40) % 4
    telling = (group[:, None] == group[None]).float()
    noise = random_kernel(g, 40).float() / 14
    own = (torch.arange(12)[:, None] % 4 == group[None]).float()
    found = learn(torch.stack([noise, telling]), own.clone(), own / own.sum(1, keepdim=True), 60)
    assert found.log_weights[1] > found.log_weights[0] + 2
    once = learn(torch.stack([noise, telling]), own.clone(), own / own.sum(1, keepdim=True), 1)
    assert found.loss < once.loss


def test_warm_items_score_as_their_teachers_say(world) -> None:
    model = create_backbone(
        "content-als", world.train, world.features, {"embedding_size": 8}, fields=world.fields
    )
    warm = np.flatnonzero(world.train.item_counts())
    x, y = teachers(ContentAlsConfig(embedding_size=8), world.train, warm)
    users, items = model.embed()
    assert torch.equal(users, x) and torch.equal(items[warm], y)
