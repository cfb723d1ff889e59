"""Where else the numbers of a training go. `metrics.jsonl` is always written; these are extras.

A tracker is told each epoch's record and the results. It never changes what is trained, and an
epoch that a resumed training repeats from its checkpoint is not told twice.
"""

from cliper.experiments.tracking.base import Tracker, TrackingSection, tracked

__all__ = ["Tracker", "TrackingSection", "tracked"]
