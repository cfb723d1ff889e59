"""Large files from a server on 127.0.0.1 that behaves, breaks off, lies and comes back."""

import contextlib
import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from cliper.data.sources.download import Downloads
from cliper.errors import InputError

DATA = gzip.compress(Random(0).randbytes(1_500_000), 1)


@dataclass
class Server:
    """Answers with `data`, as `behave` wants it; remembers what was asked for."""

    data: bytes = DATA
    tag: str | None = '"v1"'
    behave: Callable[["Handler"], bool] = lambda handler: False
    asked: list[dict[str, str]] = field(default_factory=list)
    address: str = ""


class Handler(http.server.BaseHTTPRequestHandler):
    """One file, ranges included."""

    state: Server

    def do_GET(self) -> None:
        state = self.state
        state.asked.append({name.lower(): value for name, value in self.headers.items()})
        if state.behave(self):
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and self.headers.get("If-Range") == state.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(state.data):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(state.data)}"})
                return
            span = f"bytes {start}-{len(state.data) - 1}/{len(state.data)}"
            self.answer(206, state.data[start:], {"Content-Range": span})
        else:
            self.answer(200, state.data)

    def answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
    ) -> None:
        self.send_response(status)
        if self.state.tag:
            self.send_header("ETag", self.state.tag)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    handler = type("Bound", (Handler,), {"state": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        state.address = f"http://127.0.0.1:{listening.server_port}/x.json.gz"
        yield state
        listening.shutdown()
        thread.join()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def downloads(tmp_path: Path, waits: list[float]) -> Downloads:
    return Downloads(tmp_path / "kept", 10**9, waits.append)


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*")]


def test_a_file_is_fetched_once(server: Server, downloads: Downloads) -> None:
    path = downloads.get(server.address, "sub/x.json.gz")
    assert path == downloads.folder / "sub" / "x.json.gz"
    assert path.read_bytes() == DATA
    assert downloads.get(server.address, "sub/x.json.gz") == path
    assert len(server.asked) == 1
    assert server.asked[0]["accept-encoding"] == "identity"
    assert hidden(downloads.folder) == []


def test_two_at_once_fetch_it_once(server: Server, downloads: Downloads) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: downloads.get(server.address, "x.json.gz"), range(4)))
    assert len(set(paths)) == 1
    assert paths[0] is not None
    assert paths[0].read_bytes() == DATA
    assert len(server.asked) == 1


def test_a_connection_that_breaks_is_resumed_where_it_was(
    server: Server, downloads: Downloads, waits: list[float]
) -> None:
    def breaks(handler: Handler) -> bool:
        if len(server.asked) > 2:
            return False
        start = int(server.asked[-1].get("range", "bytes=0-").removeprefix("bytes=")[:-1])
        body, status = server.data[start:], 206 if start else 200
        span = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        handler.answer(status, body, {"Content-Range": span} if start else None, cut=len(body) // 3)
        return True

    server.behave = breaks
    path = downloads.get(server.address, "x.json.gz")
    assert path is not None
    assert path.read_bytes() == DATA
    starts = [int(one.get("range", "bytes=0-").removeprefix("bytes=")[:-1]) for one in server.asked]
    assert starts[0] == 0 < starts[1] < starts[2]
    assert len(waits) == 2


def interrupted(server: Server, downloads: Downloads) -> int:
    """Stop a download by Ctrl-C in its middle; the size of what stays."""
    seen = 0

    class Stops:
        @contextlib.contextmanager
        def task(self, description: str, total: float | None, unit: str = "") -> Iterator["Stops"]:
            yield self

        def advance(self, amount: float = 1, note: str = "") -> None:
            nonlocal seen
            seen += int(amount)
            if amount and seen > len(DATA) // 2:
                raise KeyboardInterrupt

    from cliper.progress import reporting

    with pytest.raises(KeyboardInterrupt), reporting(Stops()):
        downloads.get(server.address, "x.json.gz")
    return (downloads.folder / ".x.json.gz.part").stat().st_size


def test_an_interrupted_download_goes_on(server: Server, downloads: Downloads) -> None:
    size = interrupted(server, downloads)
    assert 0 < size < len(DATA)
    assert not (downloads.folder / "x.json.gz").exists()
    path = downloads.get(server.address, "x.json.gz")
    assert path is not None
    assert path.read_bytes() == DATA
    assert server.asked[-1]["range"] == f"bytes={size}-"
    assert server.asked[-1]["if-range"] == '"v1"'
    assert hidden(downloads.folder) == []


@pytest.mark.parametrize("tag", ['"v2"', None, 'W/"v1"'], ids=["changed", "gone", "weak"])
def test_a_file_that_may_have_changed_begins_anew(
    server: Server, downloads: Downloads, tag: str | None
) -> None:
    if tag != '"v2"':
        server.tag = tag
    interrupted(server, downloads)
    server.tag, server.data = tag, gzip.compress(b"other" * 100)
    path = downloads.get(server.address, "x.json.gz")
    assert path is not None
    assert path.read_bytes() == server.data


def test_a_part_that_was_whole_needs_no_more_bytes(server: Server, downloads: Downloads) -> None:
    downloads.folder.mkdir()
    (downloads.folder / ".x.json.gz.part").write_bytes(DATA)
    note = f'{{"address": "{server.address}", "validator": "\\"v1\\""}}'
    (downloads.folder / ".x.json.gz.part.json").write_text(note)
    path = downloads.get(server.address, "x.json.gz")
    assert path is not None
    assert path.read_bytes() == DATA
    assert [one.get("range") for one in server.asked] == [f"bytes={len(DATA)}-"]


def test_a_part_too_long_or_of_another_address_is_dropped(
    server: Server, downloads: Downloads
) -> None:
    downloads.folder.mkdir()
    for address in (server.address, "http://127.0.0.1:1/y"):
        (downloads.folder / ".x.json.gz.part").write_bytes(DATA + b"more")
        note = f'{{"address": "{address}", "validator": "\\"v1\\""}}'
        (downloads.folder / ".x.json.gz.part.json").write_text(note)
        path = downloads.get(server.address, "x.json.gz")
        assert path is not None
        assert path.read_bytes() == DATA
        path.unlink()


def test_a_server_in_trouble_is_asked_again(
    server: Server, downloads: Downloads, waits: list[float]
) -> None:
    def troubled(handler: Handler) -> bool:
        if len(server.asked) > 3:
            return False
        status, headers = [(500, {}), (429, {"Retry-After": "7"}), (503, {"Retry-After": "9999"})][
            len(server.asked) - 1
        ]
        handler.answer(status, b"sorry", headers)
        return True

    server.behave = troubled
    assert downloads.get(server.address, "x.json.gz") is not None
    assert waits[1:] == [7, 60]
    assert 0 < waits[0] <= 2


@pytest.mark.parametrize("status", [404, 410])
def test_no_such_file(server: Server, downloads: Downloads, status: int) -> None:
    server.behave = lambda handler: handler.answer(status, b"none") is None
    assert downloads.get(server.address, "x.json.gz") is None
    assert list(downloads.folder.iterdir()) == []


def test_what_is_refused_in_one_line(server: Server, downloads: Downloads, tmp_path: Path) -> None:
    server.behave = lambda handler: handler.answer(403, b"no") is None
    with pytest.raises(InputError, match=r"x\.json\.gz: HTTP 403 \(fetch it by hand"):
        downloads.get(server.address, "x.json.gz")
    server.behave = lambda handler: handler.answer(200, b"<html>sorry</html>") is None
    with pytest.raises(InputError, match="no gzip data behind this address"):
        downloads.get(server.address, "x.json.gz")
    server.behave = lambda handler: handler.answer(200, b"") is None
    with pytest.raises(InputError, match="an empty file behind this address"):
        downloads.get(server.address, "x.csv")
    assert all(path.suffix == ".lock" for path in downloads.folder.iterdir())
    server.behave = lambda handler: False
    small = Downloads(tmp_path / "small", len(DATA) - 1)
    with pytest.raises(InputError, match=r"more than [\d,]+ bytes \(raise --max-download\)"):
        small.get(server.address, "x.json.gz")


def test_a_body_without_end_stops_at_the_bound(server: Server, tmp_path: Path) -> None:
    def endless(handler: Handler) -> bool:
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while True:
                handler.wfile.write(b"\x1f\x8b" * 50_000)
        handler.close_connection = True
        return True

    server.behave = endless
    with pytest.raises(InputError, match="more than 1,000,000 bytes"):
        Downloads(tmp_path / "kept", 10**6).get(server.address, "x.json.gz")
    assert (tmp_path / "kept" / ".x.json.gz.part").stat().st_size <= 10**6


def test_a_full_disk_is_known_before(
    server: Server, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 10})()
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="bytes are to come and 10 are free"):
        downloads.get(server.address, "x.json.gz")


def test_a_server_out_of_reach(downloads: Downloads, waits: list[float]) -> None:
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:9/x: out of reach: .*by hand"):
        downloads.get("http://127.0.0.1:9/x", "x")
    longest = [2, 4, 8, 16, 32]  # doubled, and drawn between half of that and all of it
    assert len(waits) == 5
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, longest, strict=True))


@pytest.mark.parametrize("address", ["http://", "ftp://127.0.0.1/x", "http://127.0.0.1:99999/x"])
def test_addresses_that_cannot_be_asked(
    downloads: Downloads, waits: list[float], address: str
) -> None:
    with pytest.raises(InputError, match="no address that can be asked for"):
        downloads.get(address, "x")
    assert waits == []
