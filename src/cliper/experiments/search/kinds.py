"""What a search may be told: known without Optuna, which only a search needs."""

from typing import Literal

SamplerKind = Literal["tpe", "random", "grid"]
PrunerKind = Literal["median", "halving", "none"]
