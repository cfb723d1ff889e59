"""Similarity (Eq. 2) and fusion (Eq. 3): encodings into what a backbone sees of the items."""

from cliper.representation.augmented import AugmentedUsers
from cliper.representation.explain import ViewWeight, explain
from cliper.representation.features import FeatureTable, ItemFeatures, Modality
from cliper.representation.from_encodings import cliper_features, random_features, vanilla_features
from cliper.representation.fusion import FusionKind, list_fusions
from cliper.representation.given import given_features
from cliper.representation.learned import LearnedWeights, learn_weights
from cliper.representation.similarity import similarity

__all__ = [
    "AugmentedUsers",
    "FeatureTable",
    "FusionKind",
    "ItemFeatures",
    "LearnedWeights",
    "Modality",
    "ViewWeight",
    "cliper_features",
    "explain",
    "given_features",
    "learn_weights",
    "list_fusions",
    "random_features",
    "similarity",
    "vanilla_features",
]
