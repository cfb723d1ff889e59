"""What stands before every request: the key, the size of the body, how many at a time."""

import asyncio
import hashlib
import hmac
import math
import time
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cliper.serving.http.front import FILES
from cliper.serving.http.limits import RECEIVE_SECONDS, Limits
from cliper.serving.http.metrics import Metrics
from cliper.serving.http.problems import LOG, Problem, problem
from cliper.serving.http.rate import Rate

OPEN = ("/v1/health", "/v1/ready", "/other/v1/health", "/other/v1/ready")
"""Asked by what watches the server: no key, and never refused for load."""
KEYLESS = (*OPEN, *FILES)
"""The page has nothing to hide and asks for the key itself."""
PATIENCE = 16
"""So many times the largest body is read and dropped, so that its sender sees the refusal."""
UNCOUNTED = (*OPEN, "/metrics", "/openapi.json")


class Guard:
    """An ASGI application in front of another; refuses, measures, and logs what broke.

    Args:
        app: answers.
        limits: of a request.
        keys: SHA-256 of each key that is good; empty where none is asked for.
        metrics: where requests are counted.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, keys: Collection[bytes], metrics: Metrics
    ) -> None:
        self.app, self.limits, self.keys, self.metrics = app, limits, tuple(keys), metrics
        self._working = 0
        self._rate = Rate(limits.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # Routes see the path still escaped, so that an id keeps a slash that was escaped in it:
        # `/items/a%2Fsimilar` is the item `a/similar`, `/items/a/similar` what is similar to `a`.
        scope["path"] = scope["raw_path"].decode("ascii")
        start, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except Problem as error:
            refusal = problem(error.status, error.detail, error.headers)
            await refusal(scope, receive, noting)
        except Exception:  # the client has its 500; the server goes on
            LOG.exception("while answering %s", _route(scope))
        finally:
            if status:
                self.metrics.answered(_route(scope), status, time.perf_counter() - start)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.keys and scope["path"] not in KEYLESS and not self._has_key(scope):
            raise Problem(401, "no key, or a wrong one", {"WWW-Authenticate": "Bearer"})
        if scope["path"] not in OPEN and (wait := self._rate.wait(_client(scope))):
            headers = {"Retry-After": str(math.ceil(wait))}
            raise Problem(429, "too many requests of one client", headers)
        body = await _body(receive, self.limits.body_of(scope["path"]))
        if body is None:
            return
        if scope["path"] in UNCOUNTED:
            await self.app(scope, _given(body, receive), send)
            return
        if self._working >= self.limits.concurrent:
            raise Problem(503, "too many requests at a time", {"Retry-After": "1"})
        self._working += 1
        self.metrics.working.inc()
        try:
            await self.app(scope, _given(body, receive), send)
        finally:
            self._working -= 1
            self.metrics.working.dec()

    def _has_key(self, scope: Scope) -> bool:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, key = value.partition(b" ")
                given = hashlib.sha256(key.strip()).digest()
                good = [hmac.compare_digest(given, known) for known in self.keys]
                return bool(scheme.lower() == b"bearer" and any(good))
        return False


async def _body(receive: Receive, limit: int) -> bytes | None:
    """The whole body; None where the client has left.

    Raises:
        Problem: it is too large or too slow.
    """
    parts, size = [], 0
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part, more = message.get("body", b""), message.get("more_body", False)
                size += len(part)
                if size <= limit:
                    parts.append(part)
                    if not more:
                        return b"".join(parts)
                elif not more or size > PATIENCE * limit:
                    told = f"a body of more than {limit} bytes"
                    raise Problem(413, told, {"Connection": "close"})
    except TimeoutError:
        raise Problem(408, "the body took too long", {"Connection": "close"}) from None


def _given(body: bytes, receive: Receive) -> Receive:
    """A source of a body that was read already."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _client(scope: Scope) -> str:
    """Whom a limit of the rate is for: an address."""
    return str((scope.get("client") or ("",))[0])


def _route(scope: Scope) -> str:
    """The path as it is written in the application; `other` where there is none."""
    return str(getattr(scope.get("route"), "path_format", "other"))
