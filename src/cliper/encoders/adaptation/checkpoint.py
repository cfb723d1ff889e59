"""A fit between its epochs, on disk: an interrupted one goes on and ends with the same bytes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cliper.errors import InputError
from cliper.files import as_written
from cliper.tensor_files import load_tensors, save_tensors

_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class FitState:
    """Where a fit stands after an epoch; all that is needed to go on from there.

    Attributes:
        epoch: the last one that is done.
        best_epoch, best_mrr, best: the best so far, its value and its tensors.
        history: held-out MRR after each epoch, the untouched encoder's first.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_mrr: float = -math.inf
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class FitCheckpoint:
    """One safetensors file: tensors, AdamW's moments, the best so far, the generator's state.

    Args:
        path: the file. It lies in a folder that is named by all that decides the fit, so that no
            other fit can take it for its own.
    """

    path: Path

    def load(
        self,
        tensors: Mapping[str, Tensor],
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> FitState | None:
        """Put everything back to where it was; None without a file, or with a broken one."""
        try:
            kept, facts = load_tensors(self.path)
            with as_written(self.path):
                return self._restored(kept, facts, tensors, optimiser, generator)
        except InputError:  # the fit can begin again
            return None

    def _restored(
        self,
        kept: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> FitState:
        now = {name: kept[f"now/{name}"] for name in tensors}
        best = {name: kept[f"best/{name}"].to(tensor.device) for name, tensor in tensors.items()}
        for name, tensor in tensors.items():
            if not now[name].shape == best[name].shape == tensor.shape:
                raise ValueError(f"{name} has another shape")
        mrr = -math.inf if facts["best_mrr"] is None else facts["best_mrr"]
        state = FitState(facts["epoch"], facts["best_epoch"], mrr, best, facts["history"])
        generator.set_state(kept["generator"])  # nothing can fail from here on
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(now[name])
                optimiser.state[tensor] = {
                    moment: _like(kept[f"{moment}/{name}"], tensor, moment)
                    for moment in _MOMENTS
                    if f"{moment}/{name}" in kept  # none before the first gradient
                }
        return state

    def save(
        self,
        state: FitState,
        tensors: Mapping[str, Tensor],
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        """Write the file, whole or not at all."""
        kept: dict[str, Tensor] = {"generator": generator.get_state()}
        for name, tensor in tensors.items():
            kept[f"now/{name}"] = tensor
            kept[f"best/{name}"] = state.best[name]
            kept |= {f"{m}/{name}": v for m, v in optimiser.state[tensor].items()}
        facts: dict[str, Any] = {
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "best_mrr": state.best_mrr if math.isfinite(state.best_mrr) else None,
            "history": state.history,
        }
        save_tensors(self.path, kept, facts)

    def remove(self) -> None:
        """The fit is done."""
        self.path.unlink(missing_ok=True)


def _like(value: Tensor, tensor: Tensor, moment: str) -> Tensor:
    return value if moment == "step" else value.to(tensor.device)
