"""`Downloader`: one address to the bytes behind it, within bounds, redirects followed by hand."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpcore2
import httpx2

from cliper.data.fetch.coding import Decoder
from cliper.data.fetch.network import GuardedNetwork, Resolver, SystemResolver
from cliper.data.fetch.outcome import Cause, Failure, FetchError, http_error
from cliper.data.fetch.retry import retry_after
from cliper.data.fetch.settings import FetchSettings

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ACCEPT = "image/jpeg, image/png, image/webp, image/avif, image/gif;q=0.8, image/*;q=0.5"


@dataclass(frozen=True)
class Body:
    """An answer with status 200.

    Attributes:
        data: its bytes, without content coding.
        content_type: what the server says they are.
        complete: whether the server said where the body ends. Otherwise the connection's end is
            all that there is, and a picture that stops early may have been cut off on the way.
    """

    data: bytes
    content_type: str
    complete: bool


def parse_address(text: str) -> httpx2.URL:
    """An http(s) address that can be asked for.

    Raises:
        FetchError: it cannot.
    """
    try:
        url = httpx2.URL(text)
        if url.scheme not in ("http", "https"):
            raise FetchError(Cause.BAD_ADDRESS, "neither http nor https")
        if not url.host or (url.port is not None and not 1 <= url.port <= 65_535):
            raise FetchError(Cause.BAD_ADDRESS, "no host, or no such port")
        if url.userinfo:
            raise FetchError(Cause.BAD_ADDRESS, "it holds a user name or password")
    except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
        raise FetchError(Cause.BAD_ADDRESS, str(error)[:200]) from None
    return url


@asynccontextmanager
async def downloader(
    settings: FetchSettings, resolve: Resolver | None = None
) -> AsyncIterator["Downloader"]:
    """Open a `Downloader`; its connections are closed at the end.

    Proxies named by the environment are not used: a proxy would resolve names on its own, past
    the check of addresses.
    """
    system = SystemResolver()
    network = GuardedNetwork(resolve or system, settings.allowed_hosts)
    try:
        async with httpcore2.AsyncConnectionPool(
            max_connections=settings.concurrency,
            keepalive_expiry=15.0,
            network_backend=network,
        ) as pool:
            yield Downloader(pool, settings)
    finally:
        system.close()


class Downloader:
    """Asks for addresses over a shared pool of connections."""

    def __init__(self, pool: httpcore2.AsyncConnectionPool, settings: FetchSettings) -> None:
        self._pool = pool
        self._settings = settings
        self._places: dict[str, asyncio.Semaphore] = {}
        self._headers = (
            ("User-Agent", settings.user_agent),
            ("Accept", _ACCEPT),
            ("Accept-Encoding", "identity"),
        )
        self._timeouts = {
            "connect": settings.connect_timeout,
            "read": settings.read_timeout,
            "write": settings.read_timeout,
            "pool": None,
        }

    async def get(self, address: str) -> Body | Failure:
        """The body behind an address, or why there is none. Nothing but a cancellation raises."""
        try:
            async with asyncio.timeout(self._settings.total_timeout):
                return await self._follow(parse_address(address))
        except FetchError as error:
            return error.failure
        except TimeoutError:
            return FetchError(Cause.TOO_SLOW, f"{self._settings.total_timeout:g} s").failure

    async def _follow(self, url: httpx2.URL) -> Body | Failure:
        for _ in range(self._settings.max_redirects + 1):
            answer = await self._ask(url)
            if not isinstance(answer, httpx2.URL):
                return answer
            url = answer
        raise FetchError(Cause.TOO_MANY_REDIRECTS, f"more than {self._settings.max_redirects}")

    async def _ask(self, url: httpx2.URL) -> Body | Failure | httpx2.URL:
        target = httpcore2.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        headers = [("Host", url.netloc.decode("ascii")), *self._headers]
        try:
            # A redirect may lead many requests to one host that was scheduled under other names.
            async with (
                self._places.setdefault(url.host, asyncio.Semaphore(self._settings.per_host)),
                self._pool.stream(
                    "GET", target, headers=headers, extensions={"timeout": self._timeouts}
                ) as response,
            ):
                return await self._read(url, response)
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            cause = Cause.NO_SECURITY if _about_tls(error) else Cause.NO_CONNECTION
            raise FetchError(cause, _text(error)) from None
        except httpcore2.TimeoutException as error:
            raise FetchError(Cause.NO_ANSWER, _text(error)) from None
        except (httpcore2.NetworkError, httpcore2.RemoteProtocolError) as error:
            raise _broken(error) from None
        except httpcore2.LocalProtocolError as error:
            raise FetchError(Cause.BAD_ADDRESS, _text(error)) from None

    async def _read(
        self, url: httpx2.URL, response: httpcore2.Response
    ) -> Body | Failure | httpx2.URL:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in response.headers
        }
        status = response.status
        if status in _REDIRECTS:
            return _next_hop(url, headers.get("location"), status)
        if status != 200:
            now = datetime.datetime.now(datetime.UTC)
            return http_error(status, retry_after(headers.get("retry-after"), now))
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._settings.max_bytes:
            raise FetchError(Cause.TOO_LARGE, f"{length[:20]} bytes announced", status=200)
        data = await self._body(response, headers.get("content-encoding"))
        framed = bool(length) or "transfer-encoding" in headers
        return Body(data, headers.get("content-type", ""), framed)

    async def _body(self, response: httpcore2.Response, coding: str | None) -> bytes:
        most = self._settings.max_bytes
        decoder, data, sent = Decoder(coding), bytearray(), 0
        async for piece in response.aiter_stream():
            sent += len(piece)
            data += decoder.feed(piece, most - len(data))
            if len(data) > most or sent > most:
                raise FetchError(Cause.TOO_LARGE, f"more than {most} bytes", status=200)
        decoder.end()
        if not data:
            raise FetchError(Cause.EMPTY, status=200)
        return bytes(data)


def _next_hop(url: httpx2.URL, location: str | None, status: int) -> httpx2.URL:
    if not location:
        raise FetchError(Cause.BAD_REDIRECT, f"HTTP {status} without a place", status=status)
    try:
        # Raw bytes beyond ASCII in the header are UTF-8 in practice.
        text = location.encode("latin-1").decode("utf-8", errors="replace")
        return parse_address(str(url.join(text)))
    except FetchError as error:
        raise FetchError(
            Cause.BAD_REDIRECT, f"{error.failure.detail}: {location[:200]}", status=status
        ) from None
    except (httpx2.InvalidURL, ValueError) as error:
        raise FetchError(Cause.BAD_REDIRECT, str(error)[:200], status=status) from None


def _broken(error: Exception) -> FetchError:
    """A connection that ended too soon, told from one that speaks no HTTP."""
    text = _text(error)
    early = isinstance(error, httpcore2.NetworkError) or any(
        sign in text.lower() for sign in ("disconnected", "peer closed", "without sending")
    )
    return FetchError(Cause.CLOSED_EARLY if early else Cause.BROKEN_PROTOCOL, text)


def _about_tls(error: Exception) -> bool:
    """Whether a connection failed on encryption: httpcore2 hands on the error that it met."""
    return any(isinstance(inner, ssl.SSLError) for inner in error.args)


def _text(error: Exception) -> str:
    """An error's message on one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
