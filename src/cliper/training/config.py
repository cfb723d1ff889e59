"""Settings of the training loop."""

import torch
from pydantic import Field

from cliper.config import StrictConfig
from cliper.errors import InputError


class TrainingConfig(StrictConfig):
    """How any backbone is trained. Defaults: the literature's, as far as it agrees."""

    batch_size: int = Field(2048, ge=1, le=1 << 20)
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


def check_device(device: str) -> None:
    """Refuse a device that this machine (or this build of PyTorch) does not have.

    A setting may well name one that is elsewhere, so this is asked when training starts.

    Raises:
        InputError: it is not available.
    """
    kind, _, number = device.partition(":")
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and int(number or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind, False):
        raise InputError(
            f"{device!r} is not available here", where="training.device", remedy="use cpu"
        )
