"""A process that answers until it is told to stop."""

import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import uvicorn

from cliper.dense import fill_rows
from cliper.errors import InputError
from cliper.progress import SILENT, reporting
from cliper.runs import RunDirectory
from cliper.serving.http.application import application
from cliper.serving.http.limits import Limits
from cliper.serving.http.memory import one_allocator
from cliper.serving.http.shop import Shop
from cliper.serving.store import Store

STOP_SECONDS = 10
SWITCH_SECONDS = 0.0005
"""After so long a thread that computes lets another one have its turn. An answer takes a few of
these; with Python's own 5 ms it would wait for a whole answer of somebody else."""

TEXT_ROWS = 32
"""Tokens are filled up to a multiple of so many for the encoder, which keeps memory for each number
of them."""


def serve(
    run: Path,
    other: Path | None,
    host: str,
    port: int,
    limits: Limits,
    store: str | None,
    key_file: Path | None,
    say: Callable[[str], None],
) -> None:
    """Answer until the process is told to stop; requests under way are finished.

    Args:
        run: a finished run.
        other: a second one, at `/other/v1`.
        host, port: where to listen; 0 takes a free port.
        limits: of a request.
        store: address of a database, or a file for SQLite; beside the run if None.
        key_file: keys, one a line; None asks for none.
        say: told the address once requests are answered.

    Raises:
        InputError: no such run, no key, or an address that cannot be had.
    """
    for path in (run, other):  # before a store is made beside what is no run
        if path is not None:
            RunDirectory(path).require()
    keys = [] if key_file is None else read_keys(key_file)
    sys.setswitchinterval(SWITCH_SECONDS)
    one_allocator()
    fill_rows(TEXT_ROWS)
    torch.set_num_threads(1)  # requests run beside each other; threads in one would wait for others
    listening = _listen(host, port)
    with listening:
        kept = Store(store_address(run, store))
        shop = Shop(run, kept)
        second = None if other is None else Shop(other, kept)
        for one in (shop, second):
            if one is not None:
                one.follow()
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
        settings = uvicorn.Config(
            application(shop, limits, keys, second),
            access_log=False,
            log_config=None,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            h11_max_incomplete_event_size=32 * 1024,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        listening.listen(2048)
        bound = listening.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        say(f"cliper: serving {shop.now.name} on http://{shown}:{bound}")
        with reporting(SILENT):  # no line or bar for each picture that is looked for
            uvicorn.Server(settings).run(sockets=[listening])


def store_address(run: Path, store: str | None) -> str:
    """Where events and items are kept, as SQLAlchemy writes it.

    >>> store_address(Path("runs/shop"), None), store_address(Path("runs/shop"), "a/b.sqlite")
    ('sqlite:///runs/shop.store.sqlite', 'sqlite:///a/b.sqlite')

    Raises:
        InputError: a name by which SQLite means memory, where nothing is kept.
    """
    if store is None:
        store = str(run.with_name(run.name + ".store.sqlite"))
    address = store if "://" in store else f"sqlite:///{store}"
    if address.removeprefix("sqlite://") in ("", "/", "/:memory:"):
        raise InputError(
            f"{store!r} keeps nothing", where="--store", remedy="a file, or postgresql+psycopg://…"
        )
    return address


def read_keys(path: Path) -> list[str]:
    """The keys of a file, one a line; empty lines do not count.

    Raises:
        InputError: the file cannot be read, or holds none.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputError("cannot be read", where=str(path), remedy="a text of keys") from None
    keys = [line.strip() for line in lines if line.strip()]
    if not keys:
        raise InputError("no key", where=str(path), remedy="write one a line")
    return keys


def _listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address, not yet open to requests."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, so that asyncio sends what is written at once (TCP_NODELAY); else every answer
    # waits 40 ms for the client's acknowledgement of its head
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        told = error.strerror or str(error)
        raise InputError(told, where=f"--host {host} --port {port}") from None
    return opened
