"""content-als: what warm items are to users, carried to cold ones by how alike their contents are.

The model of this house for items that nobody has bought. Warm items are ranked as by two closed
forms that are hard to beat, and cold ones by Gaussian-process regression on them:

1. Teachers on the warm items: scores of iALS (Hu, Koren and Volinsky, ICDM 2008) and of EASE
   (Steck, WWW 2019), each divided by its root mean square and added: T (M, n). Its truncated SVD
   gives users X = U S and items Y = V of width d, X Yᵀ ≈ T.
2. Kernels K_v between items, one for each way of being alike (`content_kernels`), and
   K = Σ_v exp(a_v) K_v, A = K + exp(l) I. With the weights, a cold item c has

       y_c = k_cᵀ A⁻¹ Y          (Rasmussen and Williams, 2006, Eq. 2.25)

3. The weights: each warm item in turn is taken for a cold one. All those predictions at once are

       T̂_i = T_i − [A⁻¹ T]_i / [A⁻¹]_ii          (ibid., Eq. 5.12)

   and a, l and a temperature minimise the cross-entropy of softmax_i(exp(t) T̂_ui) against each
   user's own items, by Adam. Nothing but training interactions is looked at.

Where there are more warm items than `landmarks`, 3. is done on so many of them, drawn by the seed,
and 2. is the subset of regressors with these as its support (ibid., Eq. 8.14):
y_c = k_cmᵀ (K_mw K_wm + exp(l) K_mm)⁻¹ K_mw Y. Users are sampled for 3. alike.

Related: MARec (arXiv 2404.13298) learns weights of metadata similarities by regressing on EASE.
EASE is left out above `EASE_ITEMS` warm items, where its dense matrix grows too large.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse.linalg as spla
import torch
from pydantic import Field
from torch import Tensor

from cliper.backbones import Backbone, BackboneConfig, create_backbone, register_backbone
from cliper.backbones.content_kernels import ContentKernels
from cliper.data import Interactions, ItemFields, Vocabulary
from cliper.representation.features import ItemFeatures
from cliper.scoring import HistoryScorer
from cliper.types import FloatArray, IndexArray

EASE_ITEMS = 10_000
MAX_USERS = 2000
"""Most users whose items the weights are learned from."""
BLOCK = 4096  # items that kernels are made for at a time
RATE = 0.1  # of Adam
JITTER = 1e-4  # of the mean diagonal, where K_mm alone would have to be inverted


class ContentAlsConfig(BackboneConfig):
    """Settings of content-als."""

    confidence: float = Field(10.0, gt=0, le=1e6, description="α of iALS")
    ridge: float = Field(20.0, gt=0, le=1e6, description="λ of iALS")
    ease_ridge: float = Field(300.0, gt=0, le=1e7, description="λ of EASE")
    steps: int = Field(60, ge=1, le=10_000, description="of Adam on the kernels' weights")
    landmarks: int = Field(2000, ge=2, le=20_000, description="most items that kernels rest on")


@register_backbone(
    "content-als", ContentAlsConfig, "iALS and EASE, carried to cold items by kernels of content"
)
class ContentAls(Backbone):
    """Two tables of factors, solved and not trained; cold items have theirs by content."""

    uses_features = True
    features_optional = True
    extra_inputs = ("fields",)
    is_trained = False
    items_interact = False
    users: Tensor
    items: Tensor
    log_weights: Tensor

    def __init__(
        self,
        config: ContentAlsConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
        *,
        fields: ItemFields,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        is_warm = interactions.item_counts() > 0
        warm = np.flatnonzero(is_warm)
        x, y = teachers(config, interactions, warm)
        kernels = ContentKernels(features, fields, is_warm)
        rng = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        support = _drawn(warm, config.landmarks, rng)
        asked, own = _own_items(interactions, support, rng)
        place = torch.from_numpy(np.searchsorted(warm, support))
        targets = x[torch.from_numpy(asked)] @ y[place].T
        among = torch.stack(list(kernels.between(support, support)))
        learned = learn(among, targets, torch.from_numpy(own), config.steps)
        items = torch.zeros(self.n_items, y.shape[1])
        items[warm] = y
        cold = np.flatnonzero(~is_warm)
        if len(cold):
            weights = learned.log_weights.exp()
            dual = dual_factors(kernels, weights, learned.log_noise.exp(), warm, support, y)
            for part in np.array_split(cold, -(-len(cold) // BLOCK)):
                items[part] = kernels.summed(weights, part, support) @ dual
        self.register_buffer("users", x)
        self.register_buffer("items", items)
        self.register_buffer("log_weights", learned.log_weights)

    def embed(self) -> tuple[Tensor, Tensor]:
        """X (M, d) and Y (N, d)."""
        return self.users, self.items


def teachers(
    config: ContentAlsConfig, interactions: Interactions, warm: IndexArray
) -> tuple[Tensor, Tensor]:
    """X (M, d) and Y (n, d), the truncated SVD of T over the warm items `warm` (n,)."""
    place = np.zeros(interactions.n_items, np.int64)
    place[warm] = np.arange(len(warm))
    # over the warm items alone, so that items that come later change nothing
    items = Vocabulary(interactions.items.ids(warm))
    known = Interactions(
        interactions.users, items, interactions.user_index, place[interactions.item_index]
    )
    options = {
        "confidence": config.confidence, "ridge": config.ridge,
        "embedding_size": config.embedding_size,
    }  # fmt: skip
    users, factors = (
        table.double().numpy() for table in create_backbone("ials", known, options=options).embed()
    )
    size = len(users) * len(warm)
    square = float(np.einsum("ij,ij->", users.T @ users, factors.T @ factors))
    users = users * np.sqrt(size / max(square, 1e-30))
    history = known.matrix().astype(np.float64)
    weights = np.zeros((len(warm), 0))
    if len(warm) <= EASE_ITEMS:
        ease = create_backbone("ease", known, options={"ridge": config.ease_ridge}).scorer()
        assert isinstance(ease, HistoryScorer)
        weights = np.asarray(ease.weights, np.float64)
        gram = (history.T @ history) @ weights
        weights = weights * np.sqrt(size / max(float(np.einsum("ij,ij->", weights, gram)), 1e-30))

    def scores(vector: FloatArray) -> FloatArray:
        found: FloatArray = users @ (factors.T @ vector)
        return np.add(found, history @ (weights @ vector)) if weights.size else found

    def items_of(vector: FloatArray) -> FloatArray:
        found: FloatArray = factors @ (users.T @ vector)
        return np.add(found, weights.T @ (history.T @ vector)) if weights.size else found

    shape = (len(users), len(warm))
    operator = spla.LinearOperator(shape, matvec=scores, rmatvec=items_of, dtype=np.float64)
    k = min(config.embedding_size, min(shape) - 1)
    u, s, vt = spla.svds(operator, k, v0=np.ones(min(shape)))
    order = np.argsort(-s)
    x, y = (u * s)[:, order], vt[order].T
    return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y.astype(np.float32).copy())


class Learned(NamedTuple):
    """a (V,), l and t of the docstring above, and the loss that they reach."""

    log_weights: Tensor
    log_noise: Tensor
    log_scale: Tensor
    loss: float


def learn(kernels: Tensor, targets: Tensor, own: Tensor, steps: int) -> Learned:
    """Weights with which left-out items are ranked best for the users who have them.

    Args:
        kernels: (V, m, m), of the support.
        targets: T (U, m).
        own: (U, m), each user's own items, a row's sum 1.
        steps: of Adam.
    """
    # Items are also embedded where no gradient is wanted.
    with torch.inference_mode(False), torch.enable_grad():
        kernels, targets, own = kernels.clone(), targets.clone(), own.clone()
        targets = targets / targets.square().mean().sqrt().clamp_min(1e-12)
        log_weights = torch.full((len(kernels),), -0.7, requires_grad=True)
        log_noise = torch.tensor(2.3, requires_grad=True)
        log_scale = torch.tensor(0.0, requires_grad=True)
        optimizer = torch.optim.Adam([log_weights, log_noise, log_scale], lr=RATE)
        for _ in range(steps):
            k = torch.einsum("v,vij->ij", log_weights.exp(), kernels)
            left_out = leave_one_out(k, log_noise.exp(), targets)
            loss = -(own * torch.log_softmax(log_scale.exp() * left_out, 1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return Learned(log_weights.detach(), log_noise.detach(), log_scale.detach(), loss.item())


def leave_one_out(kernel: Tensor, noise: Tensor, targets: Tensor) -> Tensor:
    """T̂ (U, m): each column of T predicted from the others (Eq. 5.12)."""
    inverse = torch.linalg.inv(kernel + noise * torch.eye(len(kernel)))
    predicted: Tensor = targets - (targets @ inverse) / inverse.diagonal()
    return predicted


def dual_factors(
    kernels: ContentKernels,
    weights: Tensor,
    noise: Tensor,
    warm: IndexArray,
    support: IndexArray,
    factors: Tensor,
) -> Tensor:
    """What kernels with the support are multiplied with to give an item's factors: (m, d).

    Args:
        weights, noise: exp(a) (V,) and exp(l).
        warm: the items (n,) with factors Y (n, d).
        support: m of them.
    """
    among = kernels.summed(weights, support, support)
    if len(support) == len(warm):
        exact: Tensor = torch.linalg.solve(among + noise * torch.eye(len(among)), factors)
        return exact
    left, right = noise.double() * among.double(), torch.zeros(len(support), factors.shape[1])
    right = right.double()
    for start in range(0, len(warm), BLOCK):
        k = kernels.summed(weights, warm[start : start + BLOCK], support).double()
        left += k.T @ k
        right += k.T @ factors[start : start + BLOCK].double()
    left.diagonal().add_(JITTER * noise.double() * among.diagonal().mean().double())
    dual: Tensor = torch.linalg.solve(left, right).float()
    return dual


def _drawn(items: IndexArray, most: int, rng: np.random.Generator) -> IndexArray:
    """At most so many of some sorted indices, sorted."""
    return items if len(items) <= most else np.sort(rng.choice(items, most, replace=False))


def _own_items(
    interactions: Interactions, support: IndexArray, rng: np.random.Generator
) -> tuple[IndexArray, FloatArray]:
    """Users (U,) who have items of the support, and their shares of its items (U, m)."""
    matrix = interactions.matrix()[:, support]
    counts = np.diff(matrix.indptr)
    users = _drawn(np.flatnonzero(counts), MAX_USERS, rng)
    return users, matrix[users].toarray() / counts[users, None].astype(np.float32)
