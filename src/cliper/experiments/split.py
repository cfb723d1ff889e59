"""The split that an experiment's settings ask for."""

from cliper.data import Dataset, Interactions, Split
from cliper.data.split import SplitKind
from cliper.data.splits import make_split
from cliper.data.splits.thin import thin
from cliper.experiments.config import ExperimentConfig


def default_split(dataset: Dataset) -> SplitKind:
    """`given` where the source brought a split, else `random`."""
    return "given" if dataset.given_split is not None else "random"


def experiment_split(dataset: Dataset, config: ExperimentConfig) -> Split:
    """Train, validation and test, with the share of the training rows that `train_share` keeps."""
    kind = config.split.kind or default_split(dataset)
    return thin(make_split(dataset, kind, config.split_seed), config.split.train_share)


def known_history(split: Split, mask: str) -> Interactions:
    """What a model may go on from when the test begins: what is masked there has happened.

    Args:
        split: of the run.
        mask: `train` or `train+valid`.
    """
    return split.train if mask == "train" else split.train.joined(split.valid)
