"""Raw files in, one typed and hashed `Dataset` out: vocabularies, readers, k-core, splits."""

from cliper.data.augmentation import Augmentation
from cliper.data.catalogue import Catalogue, FieldValue
from cliper.data.dataset import Dataset
from cliper.data.fields import ItemFields, item_fields
from cliper.data.interactions import Interactions
from cliper.data.kcore import k_core
from cliper.data.mmrec import prepare_mmrec
from cliper.data.prepare import prepare_files, prepare_frames, prepare_sql
from cliper.data.sources.amazon.prepare import prepare_amazon
from cliper.data.sources.microlens import prepare_microlens
from cliper.data.sources.movielens import prepare_movielens
from cliper.data.split import Split, SplitKind
from cliper.data.splits import list_splits, make_split
from cliper.data.summary import prepare_summary
from cliper.data.vocabulary import Vocabulary

__all__ = [
    "Augmentation",
    "Catalogue",
    "Dataset",
    "FieldValue",
    "Interactions",
    "ItemFields",
    "Split",
    "SplitKind",
    "Vocabulary",
    "item_fields",
    "k_core",
    "list_splits",
    "make_split",
    "prepare_amazon",
    "prepare_files",
    "prepare_frames",
    "prepare_microlens",
    "prepare_mmrec",
    "prepare_movielens",
    "prepare_sql",
    "prepare_summary",
]
