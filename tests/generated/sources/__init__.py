"""Generated files in the layouts of published data sets, with their oddities and the truth.

Each writer is seeded, writes what the official archives would hold, and returns what a reader must
find: the clean values, and how many lines are odd in which way.
"""

from generated.sources.amazon import AmazonTruth, write_amazon
from generated.sources.microlens import MicroLensTruth, write_microlens
from generated.sources.movielens import MovieLensTruth, write_movielens

__all__ = [
    "AmazonTruth",
    "MicroLensTruth",
    "MovieLensTruth",
    "write_amazon",
    "write_microlens",
    "write_movielens",
]
