"""Several processes that train one model: each takes a part of every batch, gradients are added up.

Every process draws the same batches and holds the whole model. A loss that is a mean over a batch's
rows is the sum of its parts' losses, each times its share of the rows; so are its gradients, and
with the same gradients and the same optimiser all processes stay alike.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor

from cliper.backbones import Batch
from cliper.errors import CliperError

MEETING = timedelta(minutes=10)
"""Until all have come."""
WAITING = timedelta(hours=6)
"""For the first one, which validates and tests alone."""


class LostRank(CliperError):
    """Another process has gone."""


class Ranks:
    """The processes that train together, as one of them sees them; a context manager.

    They meet at a file and then speak through gloo.

    Args:
        meeting: a file that is not there yet, seen by all; of these processes alone.
        rank: of this one; 0 leads: it alone validates and writes.
        count: how many there are.
    """

    def __init__(self, meeting: Path, rank: int, count: int) -> None:
        self._meeting, self.rank, self.count = meeting, rank, count

    def __enter__(self) -> Self:
        """Meet the others.

        Raises:
            LostRank: this rank was here before: its process died, and the others go on without.
            CliperError: not all have come.
        """
        store = dist.FileStore(str(self._meeting), self.count)  # type: ignore[attr-defined]
        if store.add(f"came {self.rank}", 1) > 1:
            raise LostRank("a process that was lost came again")
        store.set(f"here {self.rank}", "")
        try:
            store.wait([f"here {rank}" for rank in range(self.count)], MEETING)
        except RuntimeError:
            raise CliperError(
                f"not all of {self.count} workers could be started within {MEETING}: "
                "are there as many free processors?"
            ) from None
        with self._speaking():
            dist.init_process_group(
                "gloo", store=store, rank=self.rank, world_size=self.count, timeout=WAITING
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Part; without an error not before all are done."""
        try:
            if error is None:
                with self._speaking():
                    dist.barrier()
        finally:
            dist.destroy_process_group()

    @property
    def leads(self) -> bool:
        """This is the one that validates and writes."""
        return self.rank == 0

    def part(self, batch: Batch) -> tuple[Batch, float]:
        """This process's rows of a batch, and their share of it; all of it if there are too few."""
        size = len(batch)
        if size < self.count:
            return batch, 1 / self.count
        first, last = (size * rank // self.count for rank in (self.rank, self.rank + 1))
        rows = slice(first, last)
        part = Batch(batch.users[rows], batch.positives[rows], batch.negatives[rows])
        return part, (last - first) / size

    def add_up(self, parameters: Iterable[Tensor]) -> None:
        """Replace all gradients, sparse ones too, by their sums over the processes."""
        gradients = []
        for parameter in parameters:
            if parameter.grad is not None:
                if not parameter.grad.is_sparse:
                    parameter.grad = parameter.grad.contiguous()
                gradients.append(parameter.grad)
        with self._speaking():
            under_way = [dist.all_reduce(gradient, async_op=True) for gradient in gradients]
            for work in under_way:
                work.wait()

    def sums(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Sums of scalars over the processes."""
        with self._speaking():
            total = torch.stack(list(values.values())).double().cpu()
            dist.all_reduce(total)
        return dict(zip(values, total, strict=True))

    def told(self, value: float) -> float:
        """The first process's value, whatever the others say."""
        with self._speaking():
            said = torch.tensor(value, dtype=torch.float64)
            dist.broadcast(said, 0)
        return float(said)

    def same(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the first one's numbers."""
        with self._speaking():
            for tensor in tensors:
                dist.broadcast(tensor.detach(), 0)

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # gloo has no kind of its own
            raise LostRank(f"a process that trains too cannot be reached: {error}") from error
