"""The split that an experiment's settings ask for."""

from cliper.data import Dataset, Interactions, Split
from cliper.experiments.run.config import ExperimentConfig


def experiment_split(dataset: Dataset, config: ExperimentConfig) -> Split:
    """Train, validation and test, with the share of the training rows that `train_share` keeps."""
    return config.representation.split.of(dataset)


def known_history(split: Split, mask: str) -> Interactions:
    """What a model may go on from when the test begins: what is masked there has happened.

    Args:
        split: of the run.
        mask: `train` or `train+valid`.
    """
    return split.train if mask == "train" else split.train.joined(split.valid)
