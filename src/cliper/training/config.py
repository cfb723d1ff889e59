"""Settings of the training loop."""

from typing import Annotated, Literal

from pydantic import Field

from cliper.config import StrictConfig

BATCH, STEPS = 2048, 64
"""The literature's batch; and how many steps an epoch `auto` allows where each costs the same."""
MOST = 4.0
"""`auto` raises the learning rate by this factor at most."""
BatchSize = Annotated[int, Field(ge=1, le=1 << 24)]


class TrainingConfig(StrictConfig):
    """How any backbone is trained. Defaults: the literature's, as far as it agrees."""

    batch_size: BatchSize | Literal["auto"] = Field(
        "auto",
        description="auto: 2048, or for a model whose steps cost the same whatever they hold as "
        "many as make 64 steps an epoch, if that is more; its learning rate grows by the root",
    )
    learning_rate: float = Field(1e-3, gt=0, le=1)
    weight_decay: float = Field(0.0, ge=0, le=1, description="Adam's L2 on every parameter")
    max_epochs: int = Field(1000, ge=0, le=100_000)
    patience: int = Field(
        10, ge=1, description="validations without improvement before stopping, at least"
    )
    patience_distance: float = Field(
        2.0,
        ge=0,
        le=1e6,
        description="learning rate × optimiser steps without improvement before stopping, at least",
    )
    validate_every: int = Field(1, ge=1, description="epochs between validations")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?|mps)$")
    checkpoint_seconds: float = Field(30.0, ge=0, description="at most this much work is lost")

    def sized(self, rows: int, costs_by_step: bool) -> "SizedTraining":
        """The same with a number for `batch_size: auto`, and the learning rate that suits it.

        Args:
            rows: training rows.
            costs_by_step: as `Backbone.costs_by_step`.

        >>> auto = TrainingConfig()
        >>> auto.sized(1_000_000, costs_by_step=False).batch_size
        2048
        >>> sized = auto.sized(64 * 4 * 2048, costs_by_step=True)
        >>> sized.batch_size, sized.learning_rate
        (8192, 0.002)
        """
        if self.batch_size != "auto":
            return SizedTraining.model_validate(self.model_dump())
        batch = max(BATCH, -(-rows // STEPS)) if costs_by_step else BATCH
        rate = min(1.0, self.learning_rate * min(MOST, (batch / BATCH) ** 0.5))
        given = self.model_dump() | {"batch_size": batch, "learning_rate": rate}
        return SizedTraining.model_validate(given)

    def is_patient(self, validations: int, steps: int) -> bool:
        """Training goes on after so many validations and optimiser steps without improvement.

        Adam moves a parameter by about the learning rate a step, so the product says how far the
        model may have come since its best. On a small catalogue ten epochs are not far: the model
        may stand on a plateau that it is about to leave (ADR 0027).

        >>> config = TrainingConfig(learning_rate=1e-3, patience=10, patience_distance=2.0)
        >>> config.is_patient(10, 90), config.is_patient(10, 2000), config.is_patient(9, 3000)
        (True, False, True)
        """
        return validations < self.patience or steps * self.learning_rate < self.patience_distance


class SizedTraining(TrainingConfig):
    """Settings with a batch that is a number."""

    batch_size: BatchSize = BATCH
