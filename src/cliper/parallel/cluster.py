"""The engine of many machines: actors of a Ray cluster, or of a Ray that is started here (ADR 48).

Ray starts workers, begins anew what dies and repeats what was lost with it. Nothing else is asked
of it: what a piece makes lies in files that every worker sees, and only its small value comes back.
"""

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch

from cliper.errors import CliperError, InputError
from cliper.extras import missing_extra
from cliper.parallel.work import TRIES, Work, WorkResult, do

_OBJECT_STORE = 512 * 2**20  # bytes, of a Ray that is started here


@dataclass(frozen=True)
class OnRay:
    """Workers under Ray, in place of processes of this machine.

    Attributes:
        workers: how many at a time.
        address: of a running cluster, e.g. `auto` or `ray://head:10001`; None starts Ray here.
        gpus_each: share of a GPU that each worker takes.
    """

    workers: int = 2
    address: str | None = None
    gpus_each: float = 0.0


# Where work is done: so many processes of this machine, as many as pay (None), or under Ray.
Workers = int | OnRay | None


class Cluster:
    """Actors that do work; they end with the block, and a Ray that was started here.

    A program that is connected to a Ray already keeps it, whatever the address.

    Every worker must see this folder and the files that the work names under the same paths, and
    has one thread of PyTorch, as Ray gives an actor one CPU.

    Args:
        open_state: at the top of a module, or a `partial` of such; called once in each worker.
        where: how many workers, and of which cluster.
    """

    def __init__(self, open_state: Callable[[], Any], where: OnRay) -> None:
        self._open_state, self._where = open_state, where
        self._ray: Any = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._ray = _imported()
        if not self._ray.is_initialized():
            _connect(self._ray, self._where)
            self._open.callback(self._ray.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def results(self, work: Iterator[Work]) -> Iterator[WorkResult]:
        """See `Engine`; a piece whose worker died is done again.

        Raises:
            CliperError: a worker could not be started.
        """
        ray, where = self._ray, self._where
        actor = ray.remote(
            num_cpus=1, num_gpus=where.gpus_each, max_restarts=-1, max_task_retries=TRIES - 1
        )(_Actor)
        idle: list[Any] = []
        busy: dict[Any, tuple[Any, Work]] = {}
        while True:
            while len(busy) < where.workers and (piece := next(work, None)) is not None:
                worker = idle.pop() if idle else self._begin(actor)
                busy[worker.do.remote(piece)] = worker, piece
            if not busy:
                return
            (done,), _ = ray.wait(list(busy))
            worker, piece = busy.pop(done)
            idle.append(worker)
            yield self._result(done, piece)

    def _begin(self, actor: Any) -> Any:
        worker = actor.remote(self._open_state, str(Path.cwd()))
        self._open.callback(self._ray.kill, worker)
        return worker

    def _result(self, done: Any, piece: Work) -> WorkResult:
        errors = self._ray.exceptions
        try:
            result: WorkResult = self._ray.get(done)
        except errors.RayTaskError as error:
            raise error.cause from None  # wrong input, as it was raised there
        except errors.RayActorError as error:
            if "creation task" in (said := str(error)):
                last = said.strip().splitlines()[-1]
                raise CliperError(f"{piece.name}: no worker could be started: {last}") from None
            text = f"its worker was ended from outside {TRIES} times, perhaps for lack of memory"
            return WorkResult(piece.number, piece.name, error=text)
        return result


class _Actor:
    """A worker; it ends with Ray."""

    def __init__(self, open_state: Callable[[], Any], folder: str) -> None:
        torch.set_num_threads(1)
        warnings.filterwarnings("ignore", message="Sparse (CSR tensor|invariant)")
        self._open_state, self._folder = open_state, folder
        self._state: Any = None

    def do(self, work: Work) -> WorkResult:
        """Do one piece; the first one opens the state, in the folder that paths go out from."""
        if self._state is None:
            try:
                os.chdir(self._folder)
            except OSError:
                raise InputError(
                    f"the machine {socket.gethostname()} has no such folder",
                    where=self._folder,
                    remedy="start in one that every worker sees, on a shared file system",
                ) from None
            self._state = self._open_state()
        return do(work, self._state)


def _imported() -> Any:
    """Ray.

    Raises:
        InputError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unasked
    try:
        import ray
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from None
    return ray


def _connect(ray: Any, where: OnRay) -> None:
    """To a running cluster, or to one of this machine that is started now.

    Raises:
        InputError: it is not reached.
    """
    here: dict[str, Any] = {"address": where.address}
    if where.address is None:
        here = {
            "address": "local",  # a new one, even beside another on this machine
            "num_cpus": where.workers,
            "object_store_memory": _OBJECT_STORE,
            "include_dashboard": False,
        }
    try:
        ray.init(**here, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"no Ray cluster can be reached ({error})",
            where=f"--ray-address {where.address}",
            remedy="leave it out to use this machine alone",
        ) from None
