"""The features of many runs, made once for all that share them."""

import json
from collections import OrderedDict

from cliper.data import Dataset
from cliper.experiments.config import ExperimentConfig
from cliper.experiments.represent import represent_experiment
from cliper.representation import ItemFeatures

KEPT = 4  # tables of a large catalogue are large


class FeatureCache:
    """The last few features that were asked for.

    Args:
        dataset: whose items are represented.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._made: OrderedDict[str, ItemFeatures | None] = OrderedDict()

    def get(self, config: ExperimentConfig) -> ItemFeatures | None:
        """The features of an experiment; encodes what the dataset's store does not hold."""
        key = feature_key(config)
        if key not in self._made:
            self._made[key] = represent_experiment(self._dataset, config)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    def clear(self) -> None:
        """Let go of all."""
        self._made.clear()


def feature_key(config: ExperimentConfig) -> str:
    """Equal for experiments with equal features.

    Random features differ with the split's seed, and an adaptation that is fitted on training
    items with the split.
    """
    tree = config.resolved()
    parts = [tree.get(section) for section in ("views", "encoder", "features", "fusion")]
    adapt = config.encoder.adapt
    by_split = adapt is not None and adapt.fit_on == "train"
    if by_split or config.features.kind == "random":
        parts.append(tree["split"])
    return json.dumps(parts, sort_keys=True)
