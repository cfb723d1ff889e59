"""One training loop for every backbone: sampling, Adam, early stopping, exact resume."""

from cliper.training.config import TrainingConfig
from cliper.training.sampler import UniformSampler
from cliper.training.trainer import History, Trainer

__all__ = ["History", "Trainer", "TrainingConfig", "UniformSampler"]
