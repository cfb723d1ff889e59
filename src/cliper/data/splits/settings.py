"""`SplitSettings`: how interactions become train, validation and test."""

from pydantic import Field

from cliper.config import StrictConfig
from cliper.data.dataset import Dataset
from cliper.data.split import Split, SplitKind
from cliper.data.splits import make_split
from cliper.data.splits.kinds import FOLDS
from cliper.data.splits.thin import thin


class SplitSettings(StrictConfig):
    """The section `split` of an experiment."""

    kind: SplitKind | None = None
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="training.seed when not given")
    fold: int = Field(
        0, ge=0, lt=FOLDS, description="of cold-item: which fifth of the items is the test's"
    )
    train_share: float = Field(
        1.0, gt=0, le=1, description="share of each user's training rows that is kept, at least one"
    )

    def of(self, dataset: Dataset) -> Split:
        """Train, validation and test, with the share of the training rows that is kept."""
        kind = self.kind or default_split(dataset)
        return thin(make_split(dataset, kind, self.seed or 0, self.fold), self.train_share)


def default_split(dataset: Dataset) -> SplitKind:
    """`given` where the source brought a split, else `random`."""
    return "given" if dataset.given_split is not None else "random"
