"""Raw files in, one typed and hashed `Dataset` out: vocabularies, readers, k-core, splits."""

from cliper.data.catalogue import Catalogue, FieldValue
from cliper.data.dataset import Dataset
from cliper.data.interactions import Interactions
from cliper.data.split import Split, SplitKind
from cliper.data.vocabulary import Vocabulary

__all__ = [
    "Catalogue",
    "Dataset",
    "FieldValue",
    "Interactions",
    "Split",
    "SplitKind",
    "Vocabulary",
]
