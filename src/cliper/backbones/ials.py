"""iALS: matrix factorisation by alternating least squares over all pairs, seen and unseen.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, Eq. 3:
min Σ_ui c_ui (p_ui − x_u·y_i)² + λ (Σ‖x_u‖² + Σ‖y_i‖²), p_ui = r_ui, c_ui = 1 + α r_ui, each x_u
(Eq. 4) and y_i (Eq. 5) solved exactly in turn. The solver is that of the library `implicit` (MIT).

Deviation: r_ui is 1 for a pair that occurs, 0 else. An item without an interaction has zero
factors, which is what Eq. 5 gives it.
"""

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from cliper.backbones import Backbone, BackboneConfig, register_backbone
from cliper.config import StrictConfig
from cliper.data import Interactions
from cliper.extras import missing_extra
from cliper.representation.features import ItemFeatures
from cliper.scoring import FactorFoldIn, FactorScorer, FoldIn, LeastSquares, Scorer
from cliper.types import IndexArray


class IalsConfig(BackboneConfig):
    """Settings of iALS; α and the number of sweeps from the paper, Sections 4 and 6."""

    confidence: float = Field(40.0, gt=0, le=1e6, description="α, c_ui = 1 + α r_ui")
    ridge: float = Field(1.0, gt=0, le=1e6, description="λ, on all factors' squares")
    sweeps: int = Field(10, ge=1, le=1000, description="times that users and items are solved")


@register_backbone("ials", IalsConfig, "implicit-feedback alternating least squares; no content")
class Ials(Backbone):
    """Two tables of factors, solved and not trained."""

    is_trained = False
    users: Tensor
    items: Tensor

    def __init__(
        self,
        config: IalsConfig,
        interactions: Interactions,
        features: ItemFeatures | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__(config, interactions, features, generator)
        # Slow to import, so only when it is built.
        try:
            from implicit.cpu.als import AlternatingLeastSquares
        except ModuleNotFoundError as error:
            raise missing_extra(error) or error from None
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        d = config.embedding_size
        with warnings.catch_warnings():  # about BLAS threads, of which there is one below
            warnings.simplefilter("ignore", RuntimeWarning)
            solver = AlternatingLeastSquares(
                factors=d, regularization=config.ridge, iterations=config.sweeps, use_cg=False
            )
        # Users are solved first, so their start never counts.
        solver.user_factors = np.zeros((self.n_users, d), dtype=np.float32)
        solver.item_factors = torch.rand(self.n_items, d, generator=generator).numpy() * 0.01
        confidence = interactions.matrix() * np.float32(1 + config.confidence)
        with threadpool_limits(1, "blas"):
            solver.fit(confidence, show_progress=False)
        self.register_buffer("users", torch.from_numpy(np.array(solver.user_factors)))
        self.register_buffer("items", torch.from_numpy(np.array(solver.item_factors)))

    @classmethod
    def fold_in(
        cls,
        config: StrictConfig,
        scorer: Scorer,
        counts: IndexArray,
        state: Mapping[str, Tensor],
    ) -> FoldIn | None:
        """Eq. 4, exactly as users are solved in training."""
        assert isinstance(config, IalsConfig) and isinstance(scorer, FactorScorer)
        equation = LeastSquares(config.confidence, config.ridge, relative=False)
        return FactorFoldIn.fit(scorer, equation)

    def embed(self) -> tuple[Tensor, Tensor]:
        """x_u (M, d) and y_i (N, d)."""
        return self.users, self.items
