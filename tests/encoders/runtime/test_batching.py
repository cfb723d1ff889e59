"""Batches that shrink, and sizes that follow from memory; a fake stands for a GPU's."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cliper.encoders.runtime.batching import (
    Batches,
    auto_units,
    widest_output,
)
from cliper.errors import InputError

GIB = 2**30


class Small:
    """A device on which only so many units fit."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.sizes: list[int] = []

    def __call__(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        self.sizes.append(len(x))
        if x.numel() > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate …")
        return x * 2 if y is None else x + y


def test_batches_are_the_whole() -> None:
    x, y = torch.randn(23, 4), torch.randn(23, 4)
    for units in (1, 4, 7, 100):
        torch.testing.assert_close(Batches(units)(lambda a, b: a + b, x, y, each=4), x + y)
        torch.testing.assert_close(Batches(units)(lambda a, b: a, x, None), x)


def test_memory_that_runs_out_halves_the_batch_and_loses_no_row(
    caplog: pytest.LogCaptureFixture,
) -> None:
    device, batches = Small(room=6 * 3), Batches(16)
    x = torch.arange(75.0).view(25, 3)
    with caplog.at_level(logging.WARNING):
        got = batches(device, x)
    torch.testing.assert_close(got, 2 * x)
    assert device.sizes[:3] == [16, 8, 4]
    assert batches.units == 4
    assert "out of memory with 16 rows; going on with 8" in caplog.text
    device.sizes.clear()
    batches(device, x)  # what was learned is kept
    assert max(device.sizes) == 4


def test_units_are_tokens_where_a_row_is_many() -> None:
    device, batches = Small(room=6 * 5), Batches(60)
    x = torch.ones(11, 5)
    torch.testing.assert_close(batches(device, x, x, each=5), 2 * x)
    assert device.sizes[:2] == [11, 5]
    assert batches.units == 25


def test_not_even_one_row_fits() -> None:
    with pytest.raises(InputError, match="single text or picture"):
        Batches(4)(Small(room=2), torch.ones(9, 3))


def test_other_errors_are_not_swallowed() -> None:
    def broken(_: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        Batches(4)(broken, torch.ones(2, 2))


class Fake:
    """A GPU's memory: a fixed part, and so many bytes a row."""

    def __init__(self, free: int, a_row: int) -> None:
        self._free, self.a_row, self.rows = free, a_row, 0

    def run(self, rows: int) -> None:
        self.rows = rows
        if rows * self.a_row > self._free:
            raise torch.OutOfMemoryError

    def free(self) -> int:
        return self._free

    def peak(self, work: Callable[[], Any]) -> int:
        work()
        return 100_000_000 + self.rows * self.a_row


@pytest.mark.parametrize(
    ("free", "a_row", "rows"),
    [
        (10 * GIB, 20 * 2**20, 256),  # 0.6 · 10 GiB / 20 MiB = 307
        (80 * GIB, 2**20, 1024),  # never more than that
        (GIB, 300 * 2**20, 1),
        (GIB // 2, GIB, 1),  # two rows do not fit: the trial itself runs out
    ],
)
def test_a_gpu_gets_as_much_as_fits(free: int, a_row: int, rows: int) -> None:
    fake = Fake(free, a_row)
    run = fake.run if rows > 1 or a_row < GIB else lambda n: fake.run(max(n - 1, 0))
    device = torch.device("cuda")
    assert auto_units(run, nn.Identity(), device, memory=fake) == rows
    assert auto_units(run, nn.Identity(), device, 77, memory=fake) == 77 * rows


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 64), nn.GELU(), nn.Sequential(nn.Linear(64, 16)))


def test_the_widest_output_is_found_and_the_hooks_are_gone() -> None:
    layers = network()
    with widest_output(layers) as widest, torch.no_grad():
        layers(torch.zeros(3, 8))
    assert widest[0] == 3 * 64 * 4
    layers.bfloat16()
    with widest_output(layers) as widest, torch.no_grad():
        layers(torch.zeros(1, 8, dtype=torch.bfloat16))
    assert widest[0] == 64 * 2
    assert not any(part._forward_hooks for part in layers.modules())


def test_a_cpu_keeps_the_widest_output_within_twelve_mebibytes() -> None:
    layers = nn.Linear(4, 1024)  # 4 KiB a row of one token

    def run(tokens: int) -> Callable[[int], Any]:
        return lambda rows: layers(torch.zeros(rows, tokens, 4))

    cpu = torch.device("cpu")
    assert auto_units(run(100), layers, cpu) == 12 * 2**20 // (100 * 4096)
    assert auto_units(run(100), layers, cpu, 100) == 12 * 2**20 // 4096
    assert auto_units(run(1), layers, cpu) == 256  # small networks: no more than that
    assert auto_units(run(10_000), layers, cpu) == 1


def test_nan_rows_pass_through() -> None:
    x = torch.full((3, 2), float("nan"))
    assert np.isnan(Batches(2)(lambda a: a, x).numpy()).all()
