"""Hyper-parameter search on validation alone, in a study that survives kills.

What needs Optuna, an extra, is imported when it is asked for: comparisons and experiment files read
the settings of a search without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cliper.experiments.search.kinds import PrunerKind, SamplerKind
from cliper.experiments.search.presets import PRESETS, preset
from cliper.experiments.search.settings import DrawSettings, SearchSettings
from cliper.experiments.search.space import Choice, Range, Space, parse_space

if TYPE_CHECKING:
    from cliper.experiments.search.outcome import SearchOutcome, Trial
    from cliper.experiments.search.run import search
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

_WITH_OPTUNA = {
    "SearchOutcome": "outcome",
    "Trial": "outcome",
    "search": "run",
    "SearchResult": "write",
    "conclude": "write",
}


def __getattr__(name: str) -> Any:
    if name in _WITH_OPTUNA:
        return getattr(import_module(f"{__name__}.{_WITH_OPTUNA[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
