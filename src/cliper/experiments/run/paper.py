"""The paper's own settings, for whoever wants its method and not this package's defaults."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from cliper.backbones import backbone_entry
from cliper.experiments.run.config import has_value, with_values

ATTENTION: Mapping[str, Any] = {"fusion.kind": "attention", "fusion.temperature": 0.1}
TRAINING: Mapping[str, Any] = {
    "training.weight_decay": 1e-4,
    "training.patience": 10,
    "backbone.embedding_size": 512,
}


def paper_settings(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A settings tree with the paper's values where it has none.

    Similarity weights at τ = 0.1, weight decay 1e-4, ten epochs of patience and d = 512 (the best
    of its Figure 4), as far as backbone and features have them. The learning rate is searched in
    the paper and stays the default here.

    >>> paper_settings({"backbone": {"name": "bpr"}, "features": {"kind": "none"}})["training"]
    {'weight_decay': 0.0001, 'patience': 10}
    """
    filled = deepcopy(dict(tree))
    entry = backbone_entry(str(filled.get("backbone", {}).get("name", "freedom")))
    wanted = dict(TRAINING) if entry.backbone.is_trained else {}
    if "embedding_size" not in entry.config.model_fields:
        wanted.pop("backbone.embedding_size", None)
    own = filled.get("fusion", {}).get("kind", "attention")
    if filled.get("features", {}).get("kind", "cliper") == "cliper" and own == "attention":
        wanted |= ATTENTION
    return with_values(filled, {k: v for k, v in wanted.items() if not has_value(filled, k)})
