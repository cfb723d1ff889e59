"""What `cliper augment` added to a dataset, made ready for a backbone that can use it."""

from typing import Any

import torch

from cliper.backbones import backbone_entry
from cliper.data import Dataset, Split
from cliper.data.augmentation import check_training
from cliper.encoders.encode_content import store_root
from cliper.encoders.encode_texts import encode_texts
from cliper.experiments.config import ExperimentConfig
from cliper.representation import AugmentedUsers


def augmented_users(
    dataset: Dataset, config: ExperimentConfig, split: Split
) -> AugmentedUsers | None:
    """Triples, and profiles through the run's text encoder; None where there is nothing to use.

    Profiles go through the text tower of the run's dual encoder, as it is without an adaptation;
    beside other features than `cliper`'s through the packaged sentence encoder.

    Raises:
        InputError: the split is not the one that the prompts were made of.
    """
    added = dataset.augmentation
    entry = backbone_entry(config.backbone_name)
    if added is None or "augmentation" not in entry.backbone.extra_inputs:
        return None
    kind, seed = added.split.get("kind"), added.split.get("seed")
    check_training(
        added.training, split.train, f"set split.kind={kind} and split.seed={seed}, as augment had"
    )
    profiles = None
    if any(added.profiles):
        encoder = config.encoder
        is_dual = config.features.kind == "cliper" and "features" not in dataset.about
        how: dict[str, Any] = {
            "device": encoder.device,
            "dtype": encoder.dtype,
            "batch_size": encoder.batch_size,
        }
        if is_dual and encoder.name != "embedded":
            how |= {
                "weights": encoder.weights_path,
                "runtime": encoder.runtime,
                "long_text": encoder.long_text,
                "allow_download": encoder.allow_download,
            }
        rows = encode_texts(
            store_root(dataset), added.profiles, encoder.name if is_dual else None, **how
        )
        profiles = torch.from_numpy(rows.copy())
    return AugmentedUsers(added.training, torch.from_numpy(added.triples.copy()), profiles)
