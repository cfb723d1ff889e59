"""Training of the `embedded` encoder's projections: symmetric InfoNCE on the catalogue's pairs."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from cliper import progress
from cliper.encoders.alignment import Alignment, AlignmentConfig, AlignmentScore
from cliper.encoders.contrastive import info_nce
from cliper.types import BoolArray, FloatArray, IndexArray

RECIPE = 1
"""Raised whenever the fit's code changes its results, so that stored fits are not mistaken."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Items that have an image and at least one view, as tensors.

    Attributes:
        text: (C, n, W_t) unimodal, zero where absent.
        present: bool (C, n).
        group: int64 (C, n), equal where two items' texts of a view are equal.
        image: (n, W_v), standardised.
    """

    text: Tensor
    present: Tensor
    group: Tensor
    image: Tensor

    def take(self, rows: Tensor) -> "Pairs":
        """The items at `rows`."""
        return Pairs(
            self.text[:, rows], self.present[:, rows], self.group[:, rows], self.image[rows]
        )

    def __len__(self) -> int:
        return len(self.image)


def fit_alignment(
    text: FloatArray,
    text_present: BoolArray,
    image: FloatArray,
    *,
    groups: IndexArray | None = None,
    seed: int = 0,
    config: AlignmentConfig | None = None,
) -> Alignment:
    """Fit the two projections on n items that have an image and at least one text.

    The image projection starts as the ridge regression from standardised image features to the
    item's mean text; both are then trained by InfoNCE in both directions, every view of an item
    against its image, items of the batch with an equal text of that view left out of the
    negatives. The epoch with the lowest held-out loss is kept (the initial one included).

    Args:
        text: (C, n, W_t) unimodal text rows.
        text_present: bool (C, n).
        image: (n, W_v) unimodal image rows.
        groups: (C, n), equal where texts are equal; found from the rows when left out.
        seed: of the held-out part, the batches and the dropout.
        config: how to train.

    Example: see `tests/encoders/test_alignment.py`.
    """
    config = config or AlignmentConfig()
    generator = torch.Generator().manual_seed(seed)
    mean, scale = _standardisation(image)
    views = torch.from_numpy(np.ascontiguousarray(text))
    group = _groups(views) if groups is None else torch.from_numpy(groups)
    standardised = torch.from_numpy((image - mean) / scale)
    pairs = Pairs(views, torch.from_numpy(text_present), group, standardised)
    n_held = max(2, min(2000, round(config.held_out * len(pairs))))
    if len(pairs) < config.min_pairs:
        start = _initial(pairs, config)
        score = AlignmentScore(len(pairs), 0, None, None, 0, config.temperature)
        return Alignment(start[0].numpy(), mean, scale, start[1].numpy(), score)
    order = torch.randperm(len(pairs), generator=generator)
    held, train = pairs.take(order[:n_held]), pairs.take(order[n_held:])
    w_text, w_image, log_scale, best = _train(train, held, config, generator)
    recall = retrieval_recall(held, w_text, w_image, k=10)
    score = AlignmentScore(
        len(train), n_held, recall, min(1.0, 10 / n_held), best, math.exp(-float(log_scale))
    )
    return Alignment(w_text.numpy(), mean, scale, w_image.numpy(), score)


def retrieval_recall(pairs: Pairs, w_text: Tensor, w_image: Tensor, k: int) -> float:
    """Share of queries, text to image and back, whose partner is among the first k of `pairs`."""
    image = normalize(pairs.image @ w_image, dim=-1)
    hits, queries = 0, 0
    for view, present in zip(pairs.text, pairs.present, strict=True):
        scores = normalize(view @ w_text, dim=-1)[present] @ image[present].T
        own = scores.diagonal()
        for ahead in ((scores > own[:, None]).sum(1), (scores > own[None, :]).sum(0)):
            hits += int((ahead < k).sum())
            queries += len(ahead)
    return hits / queries


def _train(
    train: Pairs, held: Pairs, config: AlignmentConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, int]:
    start_text, start_image = _initial(train, config)
    shift = torch.zeros_like(start_text, requires_grad=True)
    w_image = start_image.clone().requires_grad_(True)
    log_scale = torch.tensor(-math.log(config.temperature), requires_grad=True)
    groups: list[dict[str, Any]] = [
        {"params": [shift], "lr": config.text_learning_rate},
        {"params": [w_image]},
        {"params": [log_scale], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)

    def loss(pairs: Pairs, image: Tensor) -> Tensor:
        text = pairs.text @ (start_text + shift)
        return info_nce(text, image @ w_image, pairs.present, pairs.group, log_scale)

    def held_loss() -> float:
        with torch.no_grad():
            parts = torch.split(torch.arange(len(held)), config.batch_size)
            losses = [float(loss(b, b.image)) * len(b) for b in map(held.take, parts)]
        return sum(losses) / len(held)

    best, best_epoch = held_loss(), 0
    kept = (start_text.clone(), start_image.clone(), log_scale.detach().clone())
    with progress.task("align text and images", total=config.max_epochs) as bar:
        for epoch in range(1, config.max_epochs + 1):
            order = torch.randperm(len(train), generator=generator)
            for rows in torch.split(order, config.batch_size):
                if len(rows) < 2:
                    continue
                batch = train.take(rows)
                image = _drop(batch.image, config.image_dropout, generator)
                optimiser.zero_grad()
                loss(batch, image).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                with torch.no_grad():
                    log_scale.clamp_(0.0, math.log(100.0))
            now = held_loss()
            bar.advance(1, f"held-out loss {now:.4f}")
            if now < best:
                best, best_epoch = now, epoch
                kept = (
                    (start_text + shift).detach().clone(),
                    w_image.detach().clone(),
                    log_scale.detach().clone(),
                )
            elif epoch - best_epoch >= config.patience:
                break
    return (*kept, best_epoch)


def _initial(pairs: Pairs, config: AlignmentConfig) -> tuple[Tensor, Tensor]:
    """Identity for text (or its leading coordinates), ridge regression for the image."""
    text = torch.eye(pairs.text.shape[2], config.width)
    width = pairs.image.shape[1]
    if not len(pairs):
        return text, torch.zeros(width, config.width)
    counts = pairs.present.sum(0).clamp(min=1).unsqueeze(1)
    target = pairs.text.sum(0) / counts @ text
    gram = pairs.image.T @ pairs.image / len(pairs) + config.ridge * torch.eye(width)
    return text, torch.linalg.solve(gram, pairs.image.T @ target / len(pairs))


def _drop(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    if not share:
        return x
    keep = torch.rand(x.shape, generator=generator) >= share
    return x * keep / (1 - share)


def _standardisation(image: FloatArray) -> tuple[FloatArray, FloatArray]:
    if not len(image):
        width = image.shape[1]
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    scale = image.std(0)
    scale[scale < 1e-6] = 1.0  # a feature that never fires stays as it is
    return image.mean(0), scale


def _groups(views: Tensor) -> Tensor:
    found = [torch.unique(view, dim=0, return_inverse=True)[1] for view in views]
    return torch.stack(found)
