"""`AugmentedUsers`: what a language model added to the training part, as a backbone sees it."""

from dataclasses import dataclass

from torch import Tensor

from cliper.data.augmentation import check_training
from cliper.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class AugmentedUsers:
    """Guesses of a language model about the users of one training part.

    Attributes:
        training: hash of the training pairs that the model was told of.
        triples: int64 (T, 3): a user, an item that they may like, one that they may not.
        profiles: float32 (M, D), embedded descriptions of the users, a zero row where there is
            none; None where no user has one.
    """

    training: str
    triples: Tensor
    profiles: Tensor | None

    def check(self, train: Interactions) -> None:
        """Refuse another training part: its test may be what the model was told.

        Raises:
            InputError: `train` is not what the prompts were made of.
        """
        check_training(self.training, train)
