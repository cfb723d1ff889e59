"""One address at a time against a server that answers badly."""

import asyncio
import gzip
import socketserver
import threading
import time
import tracemalloc
import zlib
from typing import Any

import pytest
from bad_server import Server, endless, head, picture, raw, redirect, whole

from cliper.data.fetch.download import Body, downloader, parse_address
from cliper.data.fetch.outcome import Cause, Failure, FetchError
from cliper.data.fetch.settings import FetchSettings

HERE = "127.0.0.1"
GOOD = picture()
LIMIT = 100_000


def get(*urls: str, allowed: tuple[str, ...] = (HERE,), **settings: Any) -> list[Body | Failure]:
    values = {"max_bytes": LIMIT, "read_timeout": 0.4, "total_timeout": 1.5, **settings}

    async def all_of_them() -> list[Body | Failure]:
        async with downloader(FetchSettings(allowed_hosts=allowed, **values)) as client:
            return [await client.get(url) for url in urls]

    return asyncio.run(all_of_them())


def failure(server: Server, answer: Any, **settings: Any) -> Failure:
    server.answers["/x"] = answer
    (found,) = get(server.url("/x"), **settings)
    assert isinstance(found, Failure), found
    return found


def test_a_good_answer(server: Server) -> None:
    server.answers["/a"] = whole(GOOD, 200, "Content-Type: image/jpeg")
    server.answers["/b"] = raw(head(200) + GOOD)
    size = f"{len(GOOD):x}".encode()
    server.answers["/c"] = raw(
        head(200, "Transfer-Encoding: chunked") + size + b"\r\n" + GOOD + b"\r\n0\r\n\r\n"
    )
    assert get(*map(server.url, ("/a", "/b", "/c"))) == [
        Body(GOOD, "image/jpeg", True),
        Body(GOOD, "", False),
        Body(GOOD, "", True),
    ]
    asked = server.headers[0]
    assert asked["host"] == f"127.0.0.1:{server.port}"
    assert asked["accept-encoding"] == "identity"
    assert asked["user-agent"].startswith("cliper")
    assert not {"cookie", "authorization", "referer"} & asked.keys()


def test_connections_are_used_again(server: Server) -> None:
    server.answers["/a"] = whole(GOOD)
    get(*[server.url("/a")] * 5)
    assert (server.counts["/a"], server.connections) == (5, 1)


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (204, "never"), (206, "never"), (304, "never"), (400, "never"), (401, "never"),
        (403, "never"), (404, "never"), (408, "now"), (410, "never"), (425, "now"), (429, "now"),
        (451, "never"), (500, "now"), (501, "never"), (502, "now"), (503, "now"), (504, "now"),
        (599, "never"),
    ],
)  # fmt: skip
def test_a_picture_with_an_error_status_is_no_picture(
    server: Server, status: int, again: str
) -> None:
    body = b"" if status in (204, 304) else GOOD
    found = failure(server, whole(body, status))
    assert (found.cause, found.status, found.again) == (Cause.HTTP_ERROR, status, again)
    assert found.label.startswith(f"HTTP {status}")


def test_retry_after_is_read(server: Server) -> None:
    assert failure(server, whole(b"", 429, "Retry-After: 7")).wait == 7
    date = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT"
    assert failure(server, whole(b"", 503, date)).wait == 0


def test_endless_bodies_end_at_the_limit(server: Server) -> None:
    piece = b"x" * 10_000
    for opening in (
        head(200),
        head(200, "Content-Length: 99999"),  # honest so far
        head(200, "Transfer-Encoding: chunked"),
    ):
        chunk = b"2710\r\n" + piece + b"\r\n" if b"chunked" in opening else piece
        if b"Length" in opening:
            opening = head(200)
        found = failure(server, endless(opening, chunk), read_timeout=30.0, total_timeout=60.0)
        # neither the total time nor the server, which stops after 20 s, came first
        assert (found.cause, found.again) == (Cause.TOO_LARGE, "never")


def test_a_length_over_the_limit_is_not_even_read(server: Server) -> None:
    found = failure(server, raw(head(200, f"Content-Length: {LIMIT + 1}"), pause=0.0))
    assert (found.cause, found.detail) == (Cause.TOO_LARGE, f"{LIMIT + 1} bytes announced")


def test_exactly_the_limit_is_allowed(server: Server) -> None:
    server.answers["/a"] = whole(b"x" * LIMIT)
    server.answers["/b"] = whole(gzip.compress(b"x" * LIMIT), 200, "Content-Encoding: gzip")
    for found in get(server.url("/a"), server.url("/b")):
        assert isinstance(found, Body)
        assert len(found.data) == LIMIT


def test_silence_and_slow_drips_end_in_time(server: Server) -> None:
    # The cause says which limit ended it; the server would go on for 20 s.
    found = failure(server, endless(b"", b"", pause=0.05), total_timeout=60.0)
    assert (found.cause, found.again) == (Cause.NO_ANSWER, "now")
    # Every byte comes well before the read timeout: only the total ends these.
    for opening, drip in (
        (head(200, "Content-Length: 99999"), b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ):
        start = time.monotonic()
        found = failure(
            server, endless(opening, drip, pause=0.05), read_timeout=10.0, total_timeout=0.8
        )
        assert (found.cause, found.again) == (Cause.TOO_SLOW, "now")
        assert time.monotonic() - start > 0.7


def test_the_total_time_covers_all_redirects(server: Server) -> None:
    def slow_hop(write: Any, before: int) -> bool:
        time.sleep(0.3)
        return bool(redirect("/x")(write, before))

    assert failure(server, slow_hop, total_timeout=0.8, max_redirects=20).cause is Cause.TOO_SLOW


def test_after_many_slow_answers_the_pool_still_has_connections(server: Server) -> None:
    server.answers["/slow"] = endless(head(200, "Content-Length: 99999"), b"x", pause=0.02)
    server.answers["/good"] = whole(GOOD)

    async def many() -> list[Body | Failure]:
        settings = FetchSettings(
            allowed_hosts=(HERE,), concurrency=4, total_timeout=0.2, connect_timeout=1
        )
        async with downloader(settings) as client:
            for _ in range(5):
                await asyncio.gather(*[client.get(server.url("/slow")) for _ in range(4)])
            for _ in range(50):  # on a busy machine a good one may take longer than the limit, too
                good = [client.get(server.url("/good")) for _ in range(4)]
                found = await asyncio.gather(*good)
                if all(isinstance(one, Body) for one in found):
                    break
            return found

    assert all(isinstance(found, Body) for found in asyncio.run(many()))


@pytest.mark.parametrize(
    ("answer", "cause", "again"),
    [
        (raw(head(200, "Content-Length: 99999") + GOOD), Cause.CLOSED_EARLY, "now"),
        (raw(head(200, "Transfer-Encoding: chunked") + b"5\r\nabc"), Cause.CLOSED_EARLY, "now"),
        (raw(b""), Cause.CLOSED_EARLY, "now"),
        (raw(b"HTTP/1.1 200 OK\r\nContent-"), Cause.CLOSED_EARLY, "now"),
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"), Cause.BROKEN_PROTOCOL, "later"),
        (raw(GOOD), Cause.CLOSED_EARLY, "now"),
        (raw(head(200, "Content-Length: -5") + GOOD), Cause.BROKEN_PROTOCOL, "later"),
        (raw(head(200, "Content-Length: 5, 6") + GOOD), Cause.BROKEN_PROTOCOL, "later"),
        (
            raw(head(200, "Transfer-Encoding: chunked") + b"zz\r\nabc"),
            Cause.BROKEN_PROTOCOL,
            "later",
        ),
        (raw(head(200, "X: " + "y" * 200_000) + GOOD), Cause.BROKEN_PROTOCOL, "later"),
        (whole(b""), Cause.EMPTY, "later"),
    ],
)
def test_broken_answers(server: Server, answer: Any, cause: Cause, again: str) -> None:
    found = failure(server, answer)
    assert (found.cause, found.again) == (cause, again), found


def test_a_length_that_says_less_than_comes_cuts_the_body(server: Server) -> None:
    server.answers["/x"] = raw(head(200, f"Content-Length: {len(GOOD) - 100}") + GOOD)
    assert get(server.url("/x")) == [Body(GOOD[:-100], "", True)]


def test_content_codings_are_undone_within_the_limit(server: Server) -> None:
    for coding, packed in (
        ("gzip", gzip.compress(GOOD)),
        ("X-GZIP", gzip.compress(GOOD)),
        ("deflate", zlib.compress(GOOD)),
        ("identity", GOOD),
    ):
        server.answers["/x"] = whole(packed, 200, f"Content-Encoding: {coding}")
        assert get(server.url("/x")) == [Body(GOOD, "", True)], coding


@pytest.mark.parametrize("megabytes", [1, 300])
def test_a_gzip_bomb_is_stopped_before_it_goes_off(server: Server, megabytes: int) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()
    tracemalloc.start()
    found = failure(server, whole(bomb, 200, "Content-Encoding: gzip"), max_bytes=500_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.cause is Cause.TOO_LARGE
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", b"x"), ("zstd", b"x"), ("gzip, gzip", gzip.compress(GOOD)), ("gzip", GOOD),
        ("gzip", gzip.compress(GOOD)[:-9]), ("deflate", b""),
    ],
)  # fmt: skip
def test_codings_that_cannot_be_undone(server: Server, coding: str, body: bytes) -> None:
    found = failure(server, whole(body, 200, f"Content-Encoding: {coding}"))
    assert found.cause is Cause.BAD_CODING


def test_redirects_are_followed(server: Server) -> None:
    server.answers |= {
        "/1": redirect("/2", 301), "/2": redirect("3", 303), "/3": redirect(server.url("/4"), 307),
        "/4": redirect(f"//127.0.0.1:{server.port}/5", 308), "/5": whole(GOOD),
    }  # fmt: skip
    assert get(server.url("/1")) == [Body(GOOD, "", True)]
    assert server.asked == ["/1", "/2", "/3", "/4", "/5"]


def test_redirect_loops_end(server: Server) -> None:
    assert failure(server, redirect("/x")).cause is Cause.TOO_MANY_REDIRECTS
    assert server.counts["/x"] == 6


@pytest.mark.parametrize(
    ("place", "cause"),
    [
        ("http://169.254.169.254/latest/meta-data/", Cause.REFUSED_ADDRESS),
        ("http://10.0.0.1/", Cause.REFUSED_ADDRESS),
        ("http://[::1]/", Cause.REFUSED_ADDRESS),
        ("http://[::ffff:127.0.0.1]/", Cause.REFUSED_ADDRESS),
        ("http://localhost/", Cause.REFUSED_ADDRESS),  # the same machine, but not the name allowed
        ("http://127.1/", Cause.REFUSED_ADDRESS),
        ("http://0/", Cause.REFUSED_ADDRESS),
        ("file:///etc/passwd", Cause.BAD_REDIRECT),
        ("ftp://example.org/a.jpg", Cause.BAD_REDIRECT),
        ("http://user:secret@127.0.0.1/", Cause.BAD_REDIRECT),
        ("http://127.0.0.1:99999/", Cause.BAD_REDIRECT),
        ("http://x.org/\x7f", Cause.BAD_REDIRECT),
    ],
)
def test_redirects_that_are_not_followed(server: Server, place: str, cause: Cause) -> None:
    assert failure(server, redirect(place)).cause is cause


def test_a_redirect_without_a_place(server: Server) -> None:
    assert failure(server, whole(b"", 302)).cause is Cause.BAD_REDIRECT


def test_what_is_not_public_is_not_asked(server: Server) -> None:
    server.answers["/a"] = whole(GOOD)
    urls = [server.url("/a"), server.url("/a").replace(HERE, "localhost")]
    for found in get(*urls, allowed=()):
        assert isinstance(found, Failure)
        assert found.cause is Cause.REFUSED_ADDRESS
    assert server.connections == 0


def test_proxies_of_the_environment_are_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, server.url("/proxy"))
    (found,) = get("http://169.254.169.254/", allowed=())
    assert isinstance(found, Failure)
    assert found.cause is Cause.REFUSED_ADDRESS
    assert server.connections == 0


def test_a_port_where_nobody_listens() -> None:
    with Server() as gone:
        url = gone.url("/")
    (found,) = get(url)
    assert isinstance(found, Failure)
    assert (found.cause, found.again) == (Cause.NO_CONNECTION, "now")


def test_no_secure_connection_to_a_server_that_speaks_none() -> None:
    class Plain(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            self.request.recv(1_000)

    with socketserver.ThreadingTCPServer((HERE, 0), Plain) as plain:
        threading.Thread(target=plain.handle_request).start()
        (found,) = get(f"https://127.0.0.1:{plain.server_address[1]}/")
    assert isinstance(found, Failure)
    assert (found.cause, found.again) == (Cause.NO_SECURITY, "later")


@pytest.mark.parametrize(
    "address",
    [
        "", "a.jpg", "ftp://x.org/a", "http:///a", "http://x.org:0/", "http://x.org:70000/",
        "http://u:p@x.org/", "http://x.org/\x00", "http://[::1/", "http://\ud800.org/",
        "javascript:alert(1)", "http://x.org:port/", "http:x.org",
    ],
)  # fmt: skip
def test_addresses_that_cannot_be_asked_for(address: str) -> None:
    with pytest.raises(FetchError) as caught:
        parse_address(address)
    assert caught.value.failure.cause is Cause.BAD_ADDRESS


@pytest.mark.parametrize(
    ("address", "host", "target"),
    [
        (
            "http://ecx.images-amazon.com/images/I/41Bb6wf%2BqUL._SX300_.jpg",
            b"ecx.images-amazon.com",
            b"/images/I/41Bb6wf%2BqUL._SX300_.jpg",
        ),
        ("HTTP://X.ORG/a b?c=ä#part", b"x.org", b"/a%20b?c=%C3%A4"),
        ("http://bücher.example/", b"xn--bcher-kva.example", b"/"),
        ("http://x.org/\r\nEvil: 1", None, b""),
    ],
)
def test_what_is_sent_for_an_address(address: str, host: bytes | None, target: bytes) -> None:
    if host is None:
        with pytest.raises(FetchError):
            parse_address(address)
        return
    url = parse_address(address)
    assert (url.raw_host, url.raw_path) == (host, target)
