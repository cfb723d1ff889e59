"""How many rows go through a network at once: chosen by what memory there is, never by hope.

On a CPU more rows do not make more of the cores beyond a handful, and the widest activation of a
batch should stay in the cache and below the size from which the C library asks the system for
fresh pages at every layer (32 MiB with glibc). On a GPU the batch is as large as memory allows;
two trial runs say how much a row takes. Wherever memory runs out nevertheless, the batch is halved
and the same rows are tried again.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from cliper.errors import InputError

BatchSize = int | Literal["auto"]

_LOG = logging.getLogger(__name__)

# Well under the 32 MiB above, and small enough to leave room for the other tensors of a layer.
_WIDEST = 12 * 2**20
_MOST_ON_CPU = 256
_MOST_ON_GPU = 1024
_SHARE = 0.6  # of the free memory of a GPU; the rest is for fragmentation and for others
_TRIAL = (2, 10)

Run = Callable[[int], Any]
"""Compute that many rows and forget them."""


class Batches:
    """Rows through a function in batches that shrink when memory runs out.

    Args:
        units: how much may be computed at once, in images or in tokens.

    Attributes:
        units: what is left of it; halved at each `torch.OutOfMemoryError`.

    >>> Batches(4)(lambda x: 2 * x, torch.arange(3.0).view(3, 1)).flatten().tolist()
    [0.0, 2.0, 4.0]
    """

    def __init__(self, units: int) -> None:
        self.units = units

    def __call__(
        self, forward: Callable[..., Tensor], *rows: Tensor | None, each: int = 1
    ) -> Tensor:
        """`forward` of tensors (n, …), or of None where there is none: float32 on the CPU.

        Args:
            forward: takes as many tensors as are given, with fewer rows.
            rows: tensors of n rows.
            each: units that a row takes.

        Raises:
            InputError: memory does not suffice for a single row.
        """
        count = next(len(table) for table in rows if table is not None)
        parts: list[Tensor] = []
        start = 0
        while start < count:
            taken = min(max(1, self.units // each), count - start)
            part = [None if table is None else table[start : start + taken] for table in rows]
            result = _unless_out_of_memory(forward, *part)
            if result is None:
                self._halve(taken, each)
                continue
            parts.append(result)
            start += taken
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _halve(self, rows: int, each: int) -> None:
        if rows == 1:
            raise InputError(
                "memory does not suffice for a single text or picture",
                remedy="use a smaller encoder, --dtype bfloat16, or --device cpu",
            )
        self.units = max(1, rows // 2) * each
        _LOG.warning("out of memory with %d rows; going on with %d", rows, rows // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _unless_out_of_memory(forward: Callable[..., Tensor], *rows: Tensor | None) -> Tensor | None:
    # A function of its own: the error's traceback would keep the tensors alive.
    try:
        return forward(*rows).float().cpu()
    except torch.OutOfMemoryError:
        return None


class Memory(Protocol):
    """A device's memory."""

    def free(self) -> int:
        """Bytes that could be allocated now."""
        ...

    def peak(self, work: Callable[[], Any]) -> int:
        """Bytes that `work` allocated at its peak, beyond what there was."""
        ...


def auto_units(
    run: Run, network: nn.Module, device: torch.device, each: int = 1, memory: Memory | None = None
) -> int:
    """How much of something to compute at once on this device.

    On a CPU the choice follows from the network's shapes alone, so that it is the same each time.

    Args:
        run: computes a number of rows; called with 1, or with two small trial sizes.
        network: what `run` goes through.
        device: where.
        each: units that one of `run`'s rows takes (the tokens of a text).
        memory: of the device; its own if None.
    """
    if device.type == "cpu":
        with widest_output(network) as widest:
            run(1)
        return max(1, min(_WIDEST * each // max(1, widest[0]), _MOST_ON_CPU * each))
    if device.type != "cuda" and memory is None:
        return 32 * each  # nothing tells how much memory there is
    return max(1, _rows_that_fit(run, memory or CudaMemory(device))) * each


@contextmanager
def widest_output(network: nn.Module) -> Iterator[list[int]]:
    """Inside the block, item 0 becomes the bytes of the largest tensor that any part returns."""
    widest = [0]

    def look(_: nn.Module, __: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            widest[0] = max(widest[0], output.numel() * output.element_size())

    handles = [part.register_forward_hook(look) for part in network.modules()]
    try:
        yield widest
    finally:
        for handle in handles:
            handle.remove()


def _rows_that_fit(run: Run, memory: Memory) -> int:
    few, more = _TRIAL
    run(1)  # what is allocated once and for all, kernels' workspaces among it
    try:
        small, large = memory.peak(lambda: run(few)), memory.peak(lambda: run(more))
    except torch.OutOfMemoryError:
        return 1
    a_row = max(1, (large - small) // (more - few))
    fit = int(_SHARE * memory.free()) // a_row
    # A power of two: the choice stays the same when a little more or less memory is free.
    return min(_MOST_ON_GPU, 2 ** (fit.bit_length() - 1)) if fit else 1


class CudaMemory:
    """`Memory` of a CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def free(self) -> int:
        """Free bytes, those that torch keeps for itself and does not use included."""
        free, _ = torch.cuda.mem_get_info(self.device)
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return int(free + kept)

    def peak(self, work: Callable[[], Any]) -> int:
        """See `Memory.peak`."""
        torch.cuda.synchronize(self.device)
        before = torch.cuda.memory_allocated(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        torch.cuda.synchronize(self.device)
        return int(torch.cuda.max_memory_allocated(self.device) - before)
