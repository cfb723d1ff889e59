"""The one training loop of both kinds of adaptation: InfoNCE, held-out MRR, the best epoch kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from cliper import progress
from cliper.encoders.adaptation.checkpoint import FitCheckpoint, FitState
from cliper.encoders.adaptation.config import AdaptationConfig
from cliper.encoders.adaptation.retrieval import Retrieval, score_retrieval
from cliper.encoders.contrastive import info_nce
from cliper.encoders.pairs import PairSplit, PairTable
from cliper.errors import InputError


class Adapter(Protocol):
    """What is trained: a few tensors beside a frozen encoder."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The trained tensors by name, all of them and nothing else."""
        ...

    def embed(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Adapted text (C, b, D) and image (b, D) of the pairs at `rows`, on their device."""
        ...


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit found.

    Attributes:
        tensors: of the best epoch, the temperature's `log_scale` among them.
        best_epoch: 0 when nothing was better than the encoder as it came.
        epochs_run: until it stopped.
        temperature: the learned one at the best epoch.
        history: MRR on the validation pairs after each epoch, epoch 0 first.
        before, after: retrieval among the report pairs.
    """

    tensors: dict[str, Tensor]
    best_epoch: int
    epochs_run: int
    temperature: float
    history: tuple[float, ...]
    before: Retrieval
    after: Retrieval


LOG_SCALE = "log_scale"
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.01, 1.0


def fit(
    adapter: Adapter,
    pairs: PairTable,
    parts: PairSplit,
    views: Sequence[str],
    config: AdaptationConfig,
    generator: torch.Generator,
    checkpoint: FitCheckpoint | None = None,
) -> Fitted:
    """Train an adapter on `parts.train`, choose the epoch on `parts.valid`.

    AdamW; the inverse temperature is learned within [1, 100] and does not decay. Epoch 0, the
    encoder as it came, takes part in the choice, so that held-out retrieval never gets worse.

    Args:
        adapter: at its initial values, under which the encoder is unchanged.
        pairs: of all rows, on the adapter's device.
        parts: which rows are for what.
        views: the C names, for the report.
        config: how to train.
        generator: on the CPU, of the batches.
        checkpoint: keeps what is done after every epoch, and goes on from there.

    Raises:
        InputError: the loss is not a number any more.
    """
    device = pairs.present.device
    log_scale = torch.tensor(-math.log(config.temperature), device=device, requires_grad=True)
    tensors = {**adapter.tensors, LOG_SCALE: log_scale}
    groups: list[dict[str, Any]] = [
        {"params": list(adapter.tensors.values())},
        {"params": [log_scale], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)
    train = parts.train

    def scored(rows: Tensor) -> Retrieval:
        return score_retrieval(
            *_embed_all(adapter, rows, config.batch_size), pairs.take(rows), views
        )

    before = scored(parts.report)
    state = checkpoint.load(tensors, optimiser, generator) if checkpoint else None
    if state is None:
        state = FitState()
        _judge(state, scored(parts.valid), tensors)
    with progress.task("adapt the encoder", total=config.max_epochs) as bar:
        bar.advance(state.epoch)
        while state.epoch < config.max_epochs and not _stopped(state, config.patience):
            order = train[torch.randperm(len(train), generator=generator).to(device)]
            for rows in torch.split(order, config.batch_size):
                if len(rows) > 1:
                    _step(adapter, rows, pairs.take(rows), log_scale, optimiser)
            state.epoch += 1
            _judge(state, scored(parts.valid), tensors)
            bar.advance(1, f"held-out MRR {state.history[-1]:.3f}")
            if checkpoint:
                checkpoint.save(state, tensors, optimiser, generator)
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(state.best[name])
    after = scored(parts.report) if state.best_epoch else before
    temperature = math.exp(-float(log_scale.detach()))
    return Fitted(
        state.best, state.best_epoch, state.epoch, temperature, tuple(state.history), before, after
    )


def _step(
    adapter: Adapter,
    rows: Tensor,
    pairs: PairTable,
    log_scale: Tensor,
    optimiser: torch.optim.Optimizer,
) -> None:
    text, image = adapter.embed(rows)
    loss = info_nce(
        text.float(), image.float(), pairs.present, pairs.text_group, log_scale, pairs.image_group
    )
    if not torch.isfinite(loss):
        raise InputError(
            "the adaptation diverged: its loss is not a number",
            where="encoder.adapt.learning_rate",
            remedy="lower it, or look for encodings that are infinite",
        )
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    with torch.no_grad():
        log_scale.clamp_(-math.log(_MAX_TEMPERATURE), -math.log(_MIN_TEMPERATURE))


def _judge(state: FitState, scores: Retrieval, tensors: Mapping[str, Tensor]) -> None:
    mrr = scores.overall.mrr
    state.history.append(mrr)
    if mrr > state.best_mrr:
        state.best_mrr, state.best_epoch = mrr, state.epoch
        state.best = {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _stopped(state: FitState, patience: int) -> bool:
    return state.epoch - state.best_epoch >= patience


@torch.no_grad()
def _embed_all(adapter: Adapter, rows: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
    parts = [adapter.embed(part) for part in torch.split(rows, batch_size)]
    return torch.cat([text for text, _ in parts], 1), torch.cat([image for _, image in parts])
