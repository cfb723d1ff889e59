"""EASE: a linear map from a user's items to all items, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019 (arXiv 1905.03375):
min_B ‖X − XB‖² + λ‖B‖² with diag(B) = 0 (Eq. 1-2), solved by P = (XᵀX + λI)⁻¹ (Eq. 6) and
B_ij = −P_ij / P_jj off the diagonal (Eq. 8). score(u, ·) = X_u B (Eq. 3).

The one model here that holds a dense N×N matrix: its weights are one by definition. Fitting takes
12 N² bytes, the inverse in float64 and B in float32 (600 MB for the 7,050 items of Amazon-Baby);
above `MAX_BYTES` it is refused.

Deviation: none. The inverse is taken in float64, by Cholesky in place. Float32 halves the time, but
on
a matrix like MovieLens-100k's (943 × 1,100, condition 4·10⁵ at λ = 0.1) it changes 3 % of the 20
largest weights of an item; from λ = 10 on it changes less than 0.1 %.
"""

import numpy as np
import torch
from pydantic import Field
from scipy.linalg.lapack import dpotrf, dpotri

from cliper.backbones import Backbone, register_backbone
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.errors import InputError
from cliper.representation.features import ItemFeatures
from cliper.scoring import HistoryScorer
from cliper.types import FloatArray

MAX_BYTES = 8 * 2**30


class EaseConfig(StrictConfig):
    """Settings of EASE; the paper finds 500 best on MovieLens-20M and 200 on the Song Dataset."""

    ridge: float = Field(500.0, gt=0, le=1e7, description="λ, on ‖B‖² beside ‖X − XB‖²")


@register_backbone("ease", EaseConfig, "closed-form linear item-item model; dense N×N; no content")
class Ease(Backbone):
    """One dense matrix B (N, N) with a zero diagonal."""

    is_trained = False

    def __init__(
        self,
        config: EaseConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        needed = 12 * self.n_items**2
        if needed > MAX_BYTES:
            raise InputError(
                f"EASE needs {needed / 2**30:.1f} GiB for {self.n_items} items, and may use "
                f"{MAX_BYTES / 2**30:.0f} GiB",
                where="backbone",
                remedy="use itemknn or turbo-cf, which hold sparse matrices",
            )
        self.history = interactions.matrix()
        self.weights = item_weights(self._gram(), config.ridge)

    def _gram(self) -> np.ndarray:
        """XᵀX (N, N), float64."""
        gram: np.ndarray = (self.history.T @ self.history).astype(np.float64).toarray(order="F")
        return gram

    def scorer(self, history: Interactions | None = None) -> HistoryScorer:
        """X_u B on the training interactions, whatever `history`: a baseline must not see more of
        a user than the models that it is compared with."""
        return HistoryScorer(self.history, self.weights)


def item_weights(gram: np.ndarray, ridge: float) -> FloatArray:
    """B (N, N) from XᵀX (Eq. 6 and 8).

    Args:
        gram: XᵀX, float64, Fortran order; overwritten.
        ridge: λ > 0.
    """
    diagonal = np.einsum("ii->i", gram)
    diagonal += ridge
    factor, failed = dpotrf(gram, lower=1, overwrite_a=1)
    if failed:
        raise InputError("EASE's matrix is not positive definite", remedy="raise backbone.ridge")
    inverse, _ = dpotri(factor, lower=1, overwrite_c=1)
    # LAPACK fills the lower triangle alone. P is symmetric: B_ij = -P_ij / P_jj.
    weights: FloatArray = np.tril(inverse).astype(np.float32)
    scale = (1 / np.diagonal(inverse)).astype(np.float32)
    weights += np.tril(weights, -1).T
    weights *= -scale[None, :]
    np.fill_diagonal(weights, 0)
    return weights
