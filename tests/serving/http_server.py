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


@contextmanager
def serving(run: Path, log: Path, *options: object) -> Iterator[httpx2.Client]:
    """A client of a server of `run`; what the server says goes to `log`."""
    command = [sys.executable, "-c", SCRIPT, "serve", str(run), "--port", "0", *map(str, options)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
    reading, writing = os.pipe()
    with subprocess.Popen(command, stderr=writing, stdout=writing, env=environment) as process:
        os.close(writing)
        with os.fdopen(reading, "r", encoding="utf-8") as said:
            try:
                heard, address = [], ""
                while not address:
                    heard.append(said.readline())
                    assert heard[-1], "".join(heard)
                    _, _, address = heard[-1].partition(" on ")
                with httpx2.Client(base_url=address.strip(), timeout=60) as client:
                    yield client
            finally:
                process.terminate()
                log.write_text("".join(heard) + said.read(), "utf-8")
