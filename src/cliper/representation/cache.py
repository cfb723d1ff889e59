"""The features of many runs, made once for all that share them."""

import json
from collections import OrderedDict

from cliper.data import Dataset
from cliper.encoders.encode import OnReport
from cliper.representation.features import ItemFeatures
from cliper.representation.represent import represent_dataset
from cliper.representation.settings import RepresentationSettings

KEPT = 4  # tables of a large catalogue are large


class FeatureCache:
    """The last few features that were asked for.

    Args:
        dataset: whose items are represented.
        on_report: told of every encoding.
    """

    def __init__(self, dataset: Dataset, on_report: OnReport | None = None) -> None:
        self._dataset, self._on_report = dataset, on_report
        self._made: OrderedDict[str, ItemFeatures | None] = OrderedDict()

    def get(self, settings: RepresentationSettings) -> ItemFeatures | None:
        """The features that settings ask for; encodes what the dataset's store does not hold."""
        key = feature_key(settings)
        if key not in self._made:
            self._made[key] = represent_dataset(self._dataset, settings, self._on_report)
            while len(self._made) > KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    def clear(self) -> None:
        """Let go of all."""
        self._made.clear()


def feature_key(settings: RepresentationSettings) -> str:
    """Equal where features are.

    Random features differ with the split's seed; the learned fusion, and an adaptation that is
    fitted on training items, with the split.
    """
    parts = settings.resolved()
    if settings.depends_on_split:
        parts["split"] = settings.split.model_dump(mode="json")
    return json.dumps(parts, sort_keys=True)
