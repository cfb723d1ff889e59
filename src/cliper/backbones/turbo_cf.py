"""Turbo-CF: a low-pass filter over the item graph, a polynomial, and no training.

Park, Shin and Shin, "Turbo-CF: Matrix Decomposition-Free Graph Filtering for Fast Recommendation",
SIGIR 2024 (arXiv 2404.14243): R̃ = D_U^(−α) R D_I^(α−1), P̄ = (R̃ᵀR̃)^∘s with the Hadamard power s,
and score(u, ·) = r_u Σ_k a_k P̄^k, of which the paper uses

    first order    P̄                                (linear)
    second order   2 P̄ − P̄²                         (1 − λ²)
    third order    P̄ + 0.01 (−P̄³ + 10 P̄² − 29 P̄)    (an approximated ideal filter)

Deviation: none in the scores. P̄ stays sparse and its powers are never formed: a chunk of users is
multiplied with P̄ once per order.
"""

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field

from cliper.backbones import Backbone, register_backbone
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.representation.features import ItemFeatures
from cliper.scoring import FilterScorer

COEFFICIENTS = {1: (1.0,), 2: (2.0, -1.0), 3: (1 - 0.29, 0.1, -0.01)}
"""a_1 … a_K of each order's filter."""


class TurboCfConfig(StrictConfig):
    """Settings of Turbo-CF; the paper chooses all three by validation."""

    alpha: float = Field(0.5, ge=0, le=1, description="α, share of the users' degree normalised")
    power: float = Field(1.0, gt=0, le=10, description="s, Hadamard power of R̃ᵀR̃")
    order: int = Field(1, ge=1, le=3, description="order of the filter")


@register_backbone("turbo-cf", TurboCfConfig, "training-free polynomial graph filter; no content")
class TurboCf(Backbone):
    """The item graph P̄ (N, N), sparse and symmetric."""

    is_trained = False

    def __init__(
        self,
        config: TurboCfConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        self.coefficients = COEFFICIENTS[config.order]
        self.history = interactions.matrix()
        self.graph = item_graph(self.history, config.alpha, config.power)

    def scorer(self, history: Interactions | None = None) -> FilterScorer:
        """The filtered training interactions, whatever `history`: a baseline must not see more of
        a user than the models that it is compared with."""
        return FilterScorer(self.history, self.graph, self.coefficients)


def item_graph(history: sp.csr_matrix, alpha: float, power: float) -> sp.csr_matrix:
    """P̄ (N, N) of R (M, N): asymmetric normalisation, product, Hadamard power."""
    users = np.asarray(history.sum(axis=1), dtype=np.float64).ravel()
    items = np.asarray(history.sum(axis=0), dtype=np.float64).ravel()
    left = sp.diags(np.maximum(users, 1) ** -alpha)
    right = sp.diags(np.maximum(items, 1) ** (alpha - 1))
    normalised = sp.csr_matrix(left @ history @ right, dtype=np.float32)
    graph = sp.csr_matrix(normalised.T @ normalised)
    graph.data **= np.float32(power)
    graph.sort_indices()
    return graph
