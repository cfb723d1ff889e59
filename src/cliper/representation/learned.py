"""How much each view says of who takes an item: weights learned from the training interactions.

Items are predicted from their views by kernel ridge regression, K = Σ_j w_j X_j X_jᵀ over the
views' rows at length 1, λ on its diagonal; the targets are the items' factors y_i = s ∘ v_i of the
truncated X ≈ U S Vᵀ, so that the squared error is that of all users' scores, x_uᵀ V S⁻¹ y_i. What
the prediction of an item misses when it is left out has a closed form,
e_i = [(K + λI)⁻¹ Y]_i / [(K + λI)⁻¹]_ii (Rifkin and Lippert, "Notes on Regularized Least Squares",
MIT 2007, Section 3), and its gradient by all log w_j and log λ costs one more product.

The weights of the least error are drawn towards equal ones by as much as items held out of the
training items ask for: squared error is not ranking, and in sparse data one view can win all.
MARec (Monteil et al., arXiv 2404.13298) learns weights of metadata similarities by regression on
a closed-form model as well.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from cliper.data.interactions import Interactions
from cliper.encoders.base import Encodings
from cliper.types import IndexArray

DoubleArray = npt.NDArray[np.float64]

IMAGE = "image"
SAMPLE = 2048
"""Items that weights are learned on: a kernel of each view takes 32 MiB."""
USERS = 5000
"""Users that held-out items are ranked for."""
RANK, STEPS, FOLDS, K = 64, 25, 3, 20
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the way from equal weights to those of the least error, in logarithms."""
SURE = 2.0
"""Standard errors; two, because users share the items held out, which the error does not count."""
FEWEST = 30
"""Items, and users, with interactions: with fewer, weights stay equal."""


@dataclass(frozen=True)
class LearnedWeights:
    """What a catalogue's training interactions say of its views.

    Attributes:
        weights: view → w_j, `image` for the picture; their mean is 1.
        share: of the way from equal weights that held-out items asked for, 0 to 1.
        gain, error: Recall@20 of held-out items over that of equal weights, the mean over users
            and its standard error; 0 and 0 where equal weights were as good.
    """

    weights: dict[str, float]
    share: float
    gain: float
    error: float


def learn_weights(encodings: Encodings, train: Interactions, seed: int = 0) -> LearnedWeights:
    """Learn a weight for each view and for the picture.

    Memory is bounded by C + 1 kernels of `SAMPLE`² and `RANK` factors an item, time by a few dozen
    factorisations of such a kernel, however large the catalogue is.

    Args:
        encodings: C views of N items and their pictures.
        train: of the same items; an item without an interaction has no say.
        seed: draws the items where there are more than `SAMPLE`, the folds and the users.

    Returns:
        Equal weights where fewer than `FEWEST` items or users have interactions.
    """
    warm = np.flatnonzero(train.item_counts() > 0)
    names = (*encodings.views, IMAGE)
    if min(len(warm), int((train.user_counts() > 0).sum())) < FEWEST:
        return LearnedWeights(dict.fromkeys(names, 1.0), 0.0, 0.0, 0.0)
    generator = np.random.default_rng(seed)
    matrix = train.matrix().astype(np.float64)
    sample = np.sort(generator.permutation(warm)[:SAMPLE])
    fold = generator.permutation(np.arange(len(sample)) % FOLDS)
    kernels = view_kernels(encodings, sample)
    tried = np.concatenate(
        [
            _held_out(kernels, matrix, warm, sample, np.flatnonzero(fold == f), generator)
            for f in range(FOLDS)
        ]
    )
    share, gain, error = choose_share(tried)
    logs = np.zeros(len(kernels))
    if share:
        targets = item_factors(matrix[:, warm])[np.searchsorted(warm, sample)]
        logs, _ = least_error(kernels, targets)
    weights = dict(zip(names, spread(logs, share).tolist(), strict=True))
    return LearnedWeights(weights, share, gain, error)


def view_kernels(encodings: Encodings, rows: IndexArray) -> DoubleArray:
    """X_j X_jᵀ of some items (n,) for every view and the picture, (C + 1, n, n); absent rows 0."""
    kernels = np.empty((len(encodings.views) + 1, len(rows), len(rows)))
    tables = [(encodings.text[j], there) for j, there in enumerate(encodings.text_present)]
    for j, (table, there) in enumerate([*tables, (encodings.image, encodings.image_present)]):
        x = np.where(there[rows, None], table[rows], 0).astype(np.float64)
        x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        kernels[j] = x @ x.T
    return kernels


def item_factors(matrix: sp.csr_matrix) -> DoubleArray:
    """s ∘ v_i of the columns of (M, N): rank `RANK`, or what the matrix has; (N, R)."""
    from scipy.sparse.linalg import svds  # here, since every command imports this room

    rank = min(RANK, min(matrix.shape) - 1)
    start = np.full(min(matrix.shape), min(matrix.shape) ** -0.5)
    _, s, vt = svds(matrix, k=rank, return_singular_vectors="vh", v0=start)
    factors: DoubleArray = vt.T * s
    return factors


def leave_one_out(
    kernels: DoubleArray, targets: DoubleArray, logs: DoubleArray, log_ridge: float
) -> tuple[float, DoubleArray]:
    """Squared leave-one-out error relative to the targets' squares, and its gradient.

    Args:
        kernels: (J, n, n).
        targets: Y (n, R).
        logs: log w_j (J,).
        log_ridge: log λ.

    Returns:
        The error, and (J + 1,): by each log w_j, then by log λ.
    """
    weights, ridge = np.exp(logs), np.exp(log_ridge)
    system = np.tensordot(weights, kernels, 1)
    system[np.diag_indices_from(system)] += ridge
    inverse = _solved(system, np.eye(len(targets)))
    solved, diagonal = inverse @ targets, np.diag(inverse)
    missed = solved / diagonal[:, None]
    scale = (targets**2).sum()
    # dE = Σ_i 2 e_i·de_i with d(K+λI)⁻¹ = -(K+λI)⁻¹ dK (K+λI)⁻¹, gathered as <by_system, dK>.
    pull = inverse @ (2 * missed / diagonal[:, None])
    by_system = (inverse * (2 * (missed**2).sum(1) / diagonal)) @ inverse - pull @ solved.T
    gradient = weights * np.einsum("jab,ab->j", kernels, by_system)
    by_ridge = ridge * np.trace(by_system)
    return float((missed**2).sum() / scale), np.append(gradient, by_ridge) / scale


def least_error(kernels: DoubleArray, targets: DoubleArray) -> tuple[DoubleArray, float]:
    """log w_j (J,), at weights of mean 1, and log λ of the least leave-one-out error."""
    n_views = len(kernels)
    start = np.append(np.zeros(n_views), np.log(np.trace(kernels.sum(0)) / len(targets)))
    from scipy.optimize import minimize

    found = minimize(
        lambda x: leave_one_out(kernels, targets, x[:-1], x[-1]),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(-6, 6)] * n_views + [(start[-1] - 8, start[-1] + 8)],
        options={"maxiter": STEPS},
    )
    level = np.log(np.exp(found.x[:-1]).mean())  # weights and ridge times a number: all the same
    return found.x[:-1] - level, float(found.x[-1] - level)


def spread(logs: DoubleArray, share: float) -> DoubleArray:
    """Weights (J,) of mean 1, a share of the way from equal ones.

    >>> spread(np.log([4.0, 1.0]), 0.5).round(3).tolist()
    [1.333, 0.667]
    """
    weights: DoubleArray = np.exp(share * (logs - logs.max()))
    weights /= weights.mean()
    return weights


def choose_share(recall: DoubleArray) -> tuple[float, float, float]:
    """The share of the best mean, or 0 where it is less than `SURE` standard errors above equal.

    Args:
        recall: (U, len(SHARES)) of each user.

    Returns:
        Share, gain over equal weights and its standard error.
    """
    gains = recall - recall[:, :1]
    best = int(gains.mean(0).argmax())
    gain = float(gains[:, best].mean())
    error = float(gains[:, best].std() / np.sqrt(max(1, len(gains))))
    return (SHARES[best], gain, error) if gain > SURE * error else (0.0, 0.0, 0.0)


def _held_out(
    kernels: DoubleArray,
    matrix: sp.csr_matrix,
    warm: IndexArray,
    sample: IndexArray,
    held: IndexArray,
    generator: np.random.Generator,
) -> DoubleArray:
    """Recall@20 (U, len(SHARES)) among items held out of everything: of each user and share."""
    kept = np.setdiff1d(np.arange(len(sample)), held)
    known = np.setdiff1d(warm, sample[held])
    factors = item_factors(matrix[:, known])
    targets = factors[np.searchsorted(known, sample[kept])]
    relevant = matrix[:, sample[held]]
    profile = matrix[:, known]
    users = np.flatnonzero((np.diff(relevant.indptr) > 0) & (np.diff(profile.indptr) > 0))
    users = np.sort(generator.permutation(users)[:USERS])
    squares = np.maximum((factors**2).sum(0), 1e-12)  # s², since V has orthonormal columns
    people = (profile[users] @ factors) / squares
    taken = relevant[users].toarray() > 0
    inside = kernels[:, kept[:, None], kept]
    logs, log_ridge = least_error(inside, targets)
    recall = np.empty((len(users), len(SHARES)))
    for at, share in enumerate(SHARES):
        weights = spread(logs, share)
        system = np.tensordot(weights, inside, 1)
        system[np.diag_indices_from(system)] += np.exp(log_ridge)
        across = np.tensordot(weights, kernels[:, held[:, None], kept], 1)
        predicted = across @ _solved(system, targets)
        top = np.argsort(-(people @ predicted.T), axis=1, kind="stable")[:, :K]
        recall[:, at] = np.take_along_axis(taken, top, 1).sum(1) / taken.sum(1)
    return recall


def _solved(system: DoubleArray, right: DoubleArray) -> DoubleArray:
    """A⁻¹ B of a positive definite system (n, n) and right sides (n, m)."""
    from scipy.linalg import cho_factor, cho_solve

    found: DoubleArray = cho_solve(cho_factor(system, lower=True), right)
    return found
