"""Named search spaces: the paper's grid, and ranges for the options that backbones share."""

from cliper.backbones import backbone_entry
from cliper.experiments.run.config import ExperimentConfig
from cliper.experiments.search.space import Choice, Range, Space

# Section 4 of the paper: "{1, 3, 5} × {1e-4, 1e-5}", d and τ.
PAPER: Space = {
    "training.learning_rate": Choice((1e-4, 3e-4, 5e-4, 1e-5, 3e-5, 5e-5)),
    "backbone.embedding_size": Choice((128, 256, 512, 1024)),
    "fusion.temperature": Choice((0.05, 0.1, 0.2, 0.5, 0.7)),
}

# By the names of options: a backbone's space is the ranges of those that it has.
OPTIONS: Space = {
    "n_layers": Range(1, 3, integer=True),
    "n_item_layers": Range(1, 2, integer=True),
    "n_blocks": Range(1, 2, integer=True),
    "neighbours": Range(5, 40, log=True, integer=True),
    "l2": Range(1e-5, 1e-1, log=True),
    "content_l2": Range(1e-5, 1e-2, log=True),
    "ridge": Range(1.0, 5e3, log=True),
    "contrast_weight": Range(1e-3, 0.3, log=True),
    "ssl_weight": Range(1e-3, 0.3, log=True),
    "content_weight": Range(0.05, 1.0, log=True),
    "image_weight": Range(0.0, 1.0),
    "raw_weight": Range(0.1, 0.9),
    "global_weight": Range(0.1, 0.9),
    "id_dropout": Range(0.0, 0.9),
    "dropout": Range(0.0, 0.6),
    "edge_dropout": Range(0.0, 0.9),
}

PRESETS = ("paper", "backbone")


def preset(name: str, config: ExperimentConfig) -> dict[str, Choice | Range]:
    """A named space, without what would have no effect on this experiment.

    Args:
        name: `paper`, or `backbone` for the learning rate and the backbone's own options.
        config: the experiment whose settings are searched.
    """
    entry = backbone_entry(config.backbone_name)
    fields = entry.config.model_fields
    trained = entry.backbone.is_trained
    if name == "paper":
        unused = set()
        if not trained:
            unused.add("training.learning_rate")
        if "embedding_size" not in fields:
            unused.add("backbone.embedding_size")
        fusion = config.fusion  # a temperature makes an attention of one that is not named
        other = "kind" in fusion.model_fields_set and fusion.kind != "attention"
        if config.features.kind != "cliper" or other:
            unused.add("fusion.temperature")
        return {key: one for key, one in PAPER.items() if key not in unused}
    space: dict[str, Choice | Range] = {}
    if trained:
        space["training.learning_rate"] = Range(1e-4, 2e-2, log=True)
    space |= {f"backbone.{key}": one for key, one in OPTIONS.items() if key in fields}
    return space
