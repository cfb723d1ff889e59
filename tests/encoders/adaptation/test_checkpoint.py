"""A fit that was interrupted ends with the same bytes as one that was not."""

from pathlib import Path

import pytest
import torch

from cliper.encoders.adaptation import ProjectionAdaptation
from cliper.encoders.adaptation.checkpoint import FitCheckpoint
from cliper.encoders.adaptation.loop import Fitted, fit
from cliper.encoders.adaptation.projection import ProjectionAdapter
from cliper.encoders.pairs import PairTable, split_pairs

from .world import rotated

CONFIG = ProjectionAdaptation(learning_rate=0.02, max_epochs=8, batch_size=64)


class Interrupting(ProjectionAdapter):
    """Stops after so many training batches."""

    left = 10**9

    def embed(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if torch.is_grad_enabled():
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return super().embed(rows)


def run(checkpoint: FitCheckpoint | None, stop_after: int | None = None) -> Fitted:
    encodings = rotated(300)
    rows = torch.from_numpy(encodings.image_present & encodings.text_present.all(0)).nonzero()[:, 0]
    adapter = Interrupting(
        torch.from_numpy(encodings.text)[:, rows], torch.from_numpy(encodings.image)[rows]
    )
    adapter.left = adapter.left if stop_after is None else stop_after
    group = torch.arange(len(rows))
    pairs = PairTable(torch.ones(2, len(rows), dtype=torch.bool), group.expand(2, -1), group)
    generator = torch.Generator().manual_seed(3)
    parts = split_pairs(group, 0.1, generator)
    return fit(adapter, pairs, parts, ["a", "b"], CONFIG, generator, checkpoint)


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    checkpoint = FitCheckpoint(tmp_path / "fit.safetensors")
    for batches in (9, 5, 11):  # each time somewhere inside an epoch
        with pytest.raises(KeyboardInterrupt):
            run(checkpoint, stop_after=batches)
    resumed, whole = run(checkpoint), run(None)
    assert resumed.history == whole.history and len(whole.history) == 9
    assert (resumed.best_epoch, resumed.temperature) == (whole.best_epoch, whole.temperature)
    assert resumed.after == whole.after
    for name, tensor in whole.tensors.items():
        assert torch.equal(resumed.tensors[name], tensor)


def test_a_finished_fit_and_a_broken_file(tmp_path: Path) -> None:
    checkpoint = FitCheckpoint(tmp_path / "fit.safetensors")
    first = run(checkpoint)
    again = run(checkpoint, stop_after=0)  # nothing is left to train
    assert again.history == first.history
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:100])
    assert run(checkpoint).history == first.history
    checkpoint.remove()
    checkpoint.remove()
    assert not checkpoint.path.exists()
