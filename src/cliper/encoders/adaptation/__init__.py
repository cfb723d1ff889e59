"""A frozen encoder adapted to a catalogue's own pairs of pictures and texts."""

from cliper.encoders.adaptation.adapt import Adapted, adapt_encodings
from cliper.encoders.adaptation.config import (
    AdaptationConfig,
    LoraAdaptation,
    ProjectionAdaptation,
    adaptation_config,
    adapted_name,
    split_name,
)
from cliper.encoders.adaptation.report import AdaptationReport

__all__ = [
    "AdaptationConfig",
    "AdaptationReport",
    "Adapted",
    "LoraAdaptation",
    "ProjectionAdaptation",
    "adapt_encodings",
    "adaptation_config",
    "adapted_name",
    "split_name",
]
