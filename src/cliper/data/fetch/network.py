"""`GuardedNetwork`: connections go to addresses that were checked, and to no others.

A name is resolved here, every answer is checked, and the socket connects to the very address that
passed. Nothing resolves the name a second time, so an answer that changes in between (DNS
rebinding) changes nothing. Each redirect to another host comes through here again.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore2

from cliper.data.fetch.outcome import Cause, FetchError
from cliper.data.fetch.public import why_not_public

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Host and port to addresses as text; raises `socket.gaierror` as `getaddrinfo` does."""

# A name server that does not answer holds a thread for half a minute.
_RESOLVING_THREADS = 16


class SystemResolver:
    """What the operating system answers, asked in threads of its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_RESOLVING_THREADS, thread_name_prefix="resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each once, in the system's order."""
        answers = await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    def close(self) -> None:
        """Let the threads end; those that still wait for an answer are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """The network as httpcore2 sees it, without what is not public.

    Args:
        resolve: host to addresses.
        allowed: host names (lower case, as in the address) that may be anywhere.
        connect: how to connect to an address; httpcore2's own by default.
    """

    def __init__(
        self,
        resolve: Resolver,
        allowed: Iterable[str] = (),
        connect: httpcore2.AsyncNetworkBackend | None = None,
    ) -> None:
        self._resolve = resolve
        self._allowed = frozenset(allowed)
        self._connect = connect or httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of `host` that answers, all of them being public.

        Raises:
            FetchError: the name has no address, or one that is not public.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: none of them answers.
        """
        addresses = await self._addresses(host, port, timeout)
        for last in (False,) * (len(addresses) - 1) + (True,):
            try:
                return await self._connect.connect_tcp(
                    addresses.pop(0), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if last:
                    raise
        raise AssertionError("a resolver that finds nothing raises")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Never."""
        raise FetchError(Cause.REFUSED_ADDRESS, "a Unix socket")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise FetchError(Cause.UNKNOWN_HOST, "the name server gave no answer") from None
        except (OSError, UnicodeError) as error:  # UnicodeError: a label that no name may have
            raise FetchError(Cause.UNKNOWN_HOST, _reason(error)) from None
        if not addresses:
            raise FetchError(Cause.UNKNOWN_HOST, "the name has no address")
        if host.lower() not in self._allowed:
            # One bad answer among good ones is an attack or a mistake: neither is to be followed.
            for address in addresses:
                kind = why_not_public(address)
                if kind is not None:
                    raise FetchError(Cause.REFUSED_ADDRESS, f"{host} is {address}: {kind}")
        return addresses


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
