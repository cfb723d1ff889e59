"""What nobody should send: refused, nothing written, nothing said but what is wrong."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from http_server import serving
from small_shop import shop

import cliper
from cliper.files import sha256_file
from cliper.serving.http import guard
from cliper.serving.http.guard import Guard
from cliper.serving.http.limits import Limits
from cliper.serving.http.metrics import Metrics
from cliper.serving.http.shop import Shop
from cliper.serving.store import Store

TEXTS = [
    "", "\0", "../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/", "%", "a" * 5000,
    "' OR 1=1 --", "{{7*7}}", "\u202e", "\U0001f600", "-1", "1e999", "NaN", "null", "[]", "\r\nX:",
]  # fmt: skip
VALUES: list[Any] = [
    *TEXTS, None, True, -1, 0, 2**63, 10**400, 0.5, [], {}, [[]], [None], [1, "a"], ["i1", 2],
    {"lt": "x"}, {"lt": 10**400}, {"lt": []}, {"in": {"a": 1}}, {"in": [None]}, {"not_in": [[1]]},
    {"a" * 5000: 1}, {"$where": "1"},
]  # fmt: skip
RAW = [
    b"", b"{", b"[]", b"null", b"1" * 5000, b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"\x00",
    b'{"history": ["\\ud800"]}', b'{"history": ["i1"], "\\ud800": 1}',
    b'{"history": ["i1"], "where": {"kind": "\\udfff"}}',
    b'{"history": ["i1"], "where": {"price": {"lt": NaN}}}',
    b'{"history": ["i1"], "where": {"price": {"lt": -Infinity}}}',
    b'{"history": ["i1"], "where": {"price": {"lt": 1e999}}}',
    b'{"history": ["i1"], "k": 1, "k": 1e400}', b'{"history": "i1"}',
    b'{"history": ["i1"], "where": {"kind": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
]  # fmt: skip
WIRE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01", b"GET\r\n\r\n", b"GET /x HTTP/9.9\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/recommendations HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    b"POST /v1/recommendations HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\n\r\n{}",
    b"POST /v1/recommendations HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /v1/items/%ff%fe/similar HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET /v1/items/\xc3\xa9/similar HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET /v1/items/i1/similar?k=%00&where=%ff HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("http") / "run"
    cliper.fit(shop(), "ease", out=out)
    return out


def requests() -> list[tuple[str, str, dict[str, Any]]]:
    """Each hostile value in each place where a request has one."""
    rng = np.random.default_rng(0)
    made: list[tuple[str, str, dict[str, Any]]] = []
    for text in TEXTS:
        path = httpx2.QueryParams({"": text})
        quoted = str(path).removeprefix("=")[:4000]
        made.append(("GET", f"/v1/users/{quoted}/recommendations", {}))
        made.append(("GET", f"/v1/items/{quoted}/similar", {}))
        made.append((str(rng.choice(["PUT", "PATCH", "TRACE"])), f"/v1/{quoted}", {}))
        places = ("k", "where", "explain", "exclude_seen")
        asked = "/v1/users/u1/recommendations"
        made.extend(("GET", asked, {"params": {name: text}}) for name in places)
    for value in VALUES:
        for name in ("history", "k", "candidates", "explain", "exclude_seen"):
            body = {"history": ["i1"], name: value}
            made.append(("POST", "/v1/recommendations", {"json": body}))
        for where in (value, {"kind": value}, {"price": value}, {"price": {"in": value}}):
            body = {"history": ["i1"], "where": where}
            made.append(("POST", "/v1/recommendations", {"json": body}))
            words = {"where": json.dumps(where)[:9000]}
            made.append(("GET", "/v1/items/i1/similar", {"params": words}))
    for content in RAW:
        for kind in ("application/json", "text/plain", "multipart/form-data; boundary=a", ";"):
            sent = {"content": content, "headers": {"content-type": kind}}
            made.append(("POST", "/v1/recommendations", sent))
    return made


def test_hostile_requests(run: Path, tmp_path: Path) -> None:
    before = {path: sha256_file(path) for path in run.iterdir()}
    made, statuses = requests(), []
    assert len(made) + len(WIRE) > 600
    with serving(run, tmp_path / "log") as client:
        for method, path, sent in made:
            answer = client.request(method, path, **sent)
            statuses.append(answer.status_code)
            assert answer.status_code < 500, (method, path, sent, answer.text)
            assert "Traceback" not in answer.text and "root:" not in answer.text
            if answer.status_code >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert len(answer.content) < 10_000
        for data in WIRE:
            with socket.create_connection((client.base_url.host, client.base_url.port)) as wire:
                wire.sendall(data)
                wire.shutdown(socket.SHUT_WR)
                status = wire.recv(1000).partition(b" ")[2][:1]
            assert status in (b"4", b""), data
        assert client.get("/v1/users/u1/recommendations").status_code == 200
    assert statuses.count(200) < len(statuses) / 3
    assert {path: sha256_file(path) for path in run.iterdir()} == before
    said = (tmp_path / "log").read_text("utf-8")
    assert "Traceback" not in said and "ERROR" not in said


def behind_a_guard(run: Path, app: Any, limits: Limits) -> httpx2.AsyncClient:
    guarded = Guard(app, limits, (), Metrics(Shop(run, Store("sqlite:///:memory:"))))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(guarded), base_url="http://a")


def test_more_than_so_many_at_a_time_are_refused_at_once(run: Path) -> None:
    async def drive() -> None:
        go_on = asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] != "/v1/health":
                await go_on.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async with behind_a_guard(run, slow, Limits(concurrent=2)) as client:
            waiting = [asyncio.create_task(client.get("/v1/model")) for _ in range(2)]
            await asyncio.sleep(0.05)
            refused = await client.get("/v1/model")
            assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
            assert (await client.get("/v1/health")).status_code == 200
            go_on.set()
            assert [(await one).status_code for one in waiting] == [200, 200]
            assert (await client.get("/v1/model")).status_code == 200

    asyncio.run(drive())


def test_more_than_so_many_a_second_of_one_client_are_refused(run: Path) -> None:
    async def drive() -> None:
        async def quick(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async with behind_a_guard(run, quick, Limits(rate=0.01)) as client:
            assert (await client.get("/v1/model")).status_code == 200
            refused = await client.get("/v1/model")
            assert refused.status_code == 429 and 90 <= int(refused.headers["retry-after"]) <= 100
            assert (await client.get("/v1/health")).status_code == 200

    asyncio.run(drive())


def test_a_body_that_does_not_come_is_not_waited_for(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "RECEIVE_SECONDS", 0.05)

    async def drive() -> None:
        async def never(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("not reached")

        async def dripping() -> Any:
            yield b"{"
            await asyncio.sleep(1)

        async with behind_a_guard(run, never, Limits()) as client:
            answer = await client.post("/v1/recommendations", content=dripping())
            assert answer.status_code == 408

    asyncio.run(drive())
