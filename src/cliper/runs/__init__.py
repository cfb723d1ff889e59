"""Run directories: the typed record of a training and the files that hold it."""

from cliper.runs.directory import RunDirectory
from cliper.runs.record import (
    DatasetFacts,
    FeatureFacts,
    MadeWith,
    Mask,
    Protocol,
    Results,
    Seconds,
)

__all__ = [
    "DatasetFacts",
    "FeatureFacts",
    "MadeWith",
    "Mask",
    "Protocol",
    "Results",
    "RunDirectory",
    "Seconds",
]
