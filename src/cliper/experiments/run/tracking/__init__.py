"""Where else the numbers of a training go. `metrics.jsonl` is always written; these are extras.

A tracker is told each epoch's record and the results. It never changes what is trained, and an
epoch that a resumed training repeats from its checkpoint is not told twice.
"""

from cliper.experiments.run.tracking.base import Tracker, TrackingSettings
from cliper.experiments.run.tracking.tracked import tracked

__all__ = ["Tracker", "TrackingSettings", "tracked"]
