"""`cliper serve` as a process of its own, on a free port."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
SCRIPT = "import sys; from cliper.cli import main; sys.exit(main(sys.argv[1:]))"


class Server:
    """One that answers; what it says goes to `log`."""

    def __init__(self, run: Path, log: Path, *options: object) -> None:
        command = [sys.executable, "-c", SCRIPT, "serve", run, "--port", 0, *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
        with log.open("ab") as said:
            before = said.tell()
            self.process = subprocess.Popen(
                [str(part) for part in command], stderr=said, stdout=said, env=environment
            )
        with log.open("r", encoding="utf-8") as heard:
            heard.seek(before)
            told = ""
            while " on http" not in told or not told.endswith("\n"):
                ended = self.process.poll() is not None
                told += heard.read()
                assert not ended, told
                with_patience(self.process)
        self.address = told.rpartition(" on ")[2].strip()
        self.client = httpx2.Client(base_url=self.address, timeout=60)

    def end(self, kill: bool = False) -> None:
        self.client.close()
        self.process.kill() if kill else self.process.terminate()
        self.process.wait(30)


def with_patience(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(0.02)
    except subprocess.TimeoutExpired:
        return


@contextmanager
def serving(run: Path, log: Path, *options: object) -> Iterator[httpx2.Client]:
    """A client of a server of `run`."""
    server = Server(run, log, *options)
    try:
        yield server.client
    finally:
        server.end()
