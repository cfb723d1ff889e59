"""A server on 127.0.0.1 that answers as badly as it is told to, and remembers who asked."""

import io
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

Write = Callable[[bytes], object]
Answer = Callable[[Write, int], bool | None]
"""Gets a function that sends bytes and how often the path was asked for before; returns True where
the connection may be used again."""


def picture(seed: int = 0, form: str = "JPEG", size: tuple[int, int] = (40, 50)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def head(status: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Said", *headers, "", ""]).encode()


def whole(body: bytes, status: int = 200, *headers: str) -> Answer:
    def answer(write: Write, _: int) -> bool:
        write(head(status, f"Content-Length: {len(body)}", *headers) + body)
        return True

    return answer


def redirect(place: str, status: int = 302) -> Answer:
    return whole(b"moved", status, f"Location: {place}")


def first(answers: list[Answer], then: Answer) -> Answer:
    """One answer after another, then the same for good."""

    def answer(write: Write, before: int) -> bool | None:
        return (answers[before] if before < len(answers) else then)(write, before)

    return answer


def raw(*pieces: bytes, pause: float = 0.0) -> Answer:
    """Some bytes, slowly if so wished, then the end of the connection."""

    def answer(write: Write, _: int) -> None:
        for piece in pieces:
            write(piece)
            time.sleep(pause)

    return answer


def endless(opening: bytes, piece: bytes, pause: float = 0.0, bound: float = 20.0) -> Answer:
    """Bytes until the client leaves (or `bound` seconds: no test may hang on this)."""

    def answer(write: Write, _: int) -> None:
        write(opening)
        end = time.monotonic() + bound
        while time.monotonic() < end:
            write(piece)
            time.sleep(pause)

    return answer


class Server(socketserver.ThreadingTCPServer):
    """Answers by path; an unknown one is 404.

    Attributes:
        answers: path → how to answer.
        asked: paths in the order of their requests; times: when, `time.monotonic`.
        counts: requests by path.
        most_at_once: requests that were under way together.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self.counts: Counter[str] = Counter()
        self.under_way = self.most_at_once = self.connections = 0
        self.guard = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is none of our business."""


class _Handler(socketserver.StreamRequestHandler):
    server: Server
    timeout = 30

    def handle(self) -> None:
        with self.server.guard:
            self.server.connections += 1
        while self._one():
            pass

    def _one(self) -> bool:
        line = self.rfile.readline(65_536).split()
        headers: dict[str, str] = {}
        while (one := self.rfile.readline(65_536).strip()) != b"":
            name, _, value = one.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if len(line) != 3:
            return False
        path = line[1].decode()
        with self.server.guard:
            before = self.server.counts[path]
            self.server.counts[path] += 1
            self.server.asked.append(path)
            self.server.times.append(time.monotonic())
            self.server.headers.append(headers)
            self.server.under_way += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.under_way)
        try:
            answer = self.server.answers.get(path, whole(b"<html>nothing here</html>", 404))
            return bool(answer(self.wfile.write, before))
        finally:
            with self.server.guard:
                self.server.under_way -= 1


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
