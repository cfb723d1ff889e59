"""Hyper-parameter search on validation alone, in a study that survives kills."""

from cliper.experiments.search.outcome import SearchOutcome, Trial
from cliper.experiments.search.presets import PRESETS, preset
from cliper.experiments.search.run import search
from cliper.experiments.search.sampler import SamplerKind
from cliper.experiments.search.settings import DrawSettings, SearchSettings
from cliper.experiments.search.space import Choice, Range, Space, parse_space
from cliper.experiments.search.trials import PrunerKind
from cliper.experiments.search.write import SearchResult, conclude

__all__ = [
    "PRESETS",
    "Choice",
    "DrawSettings",
    "PrunerKind",
    "Range",
    "SamplerKind",
    "SearchOutcome",
    "SearchResult",
    "SearchSettings",
    "Space",
    "Trial",
    "conclude",
    "parse_space",
    "preset",
    "search",
]
