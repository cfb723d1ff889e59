"""`AugmentedUsers`: what a language model added to the training part, as a backbone sees it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from cliper.data import Dataset, Split
from cliper.data.augmentation import check_training
from cliper.data.interactions import Interactions
from cliper.encoders.content import store_root
from cliper.encoders.encode import encode_texts
from cliper.representation.settings import RepresentationSettings


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


def augmented_users(
    dataset: Dataset, settings: RepresentationSettings, split: Split
) -> AugmentedUsers | None:
    """What `cliper augment` added to a dataset, for backbones that can use it; None where nothing.

    Profiles go through the text tower of the run's dual encoder, as it is without an adaptation;
    beside other features than `cliper`'s through the packaged sentence encoder.

    Raises:
        InputError: the split is not the one that the prompts were made of.
    """
    added = dataset.augmentation
    if added is None:
        return None
    kind, seed = added.split.get("kind"), added.split.get("seed")
    check_training(
        added.training, split.train, f"set split.kind={kind} and split.seed={seed}, as augment had"
    )
    profiles = None
    if any(added.profiles):
        vanilla = settings.features.kind != "cliper" or "features" in dataset.about
        root, encoder = store_root(dataset), settings.encoder.model_copy(update={"adapt": None})
        rows = encode_texts(root, added.profiles, encoder, vanilla=vanilla)
        profiles = torch.from_numpy(rows.copy())
    return AugmentedUsers(added.training, torch.from_numpy(added.triples.copy()), profiles)
