"""CLIPER: multi-view, image-aligned item representations for any recommendation backbone.

Names are imported when they are first used, so that `import cliper` costs nothing.

>>> sorted(name for name in __all__ if name.startswith("list"))
['list_backbones', 'list_encoders']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cliper.backbones import create_backbone, list_backbones
    from cliper.data import Dataset
    from cliper.encoders.registry import create_encoder, list_encoders
    from cliper.experiments.run.finished import Run
    from cliper.experiments.run.function import fit
    from cliper.representation.represent import represent

__all__ = [
    "Dataset",
    "Run",
    "__version__",
    "create_backbone",
    "create_encoder",
    "fit",
    "list_backbones",
    "list_encoders",
    "represent",
]

_WHERE = {
    "Dataset": "cliper.data",
    "Run": "cliper.experiments.run.finished",
    "create_backbone": "cliper.backbones",
    "create_encoder": "cliper.encoders.registry",
    "fit": "cliper.experiments.run.function",
    "list_backbones": "cliper.backbones",
    "list_encoders": "cliper.encoders.registry",
    "represent": "cliper.representation.represent",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'cliper' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
