"""Fixtures that every room may use."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real development data; tests that need it are skipped where it is absent."""
    named = os.environ.get("CLIPER_DATA")
    path = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data at {path} (set CLIPER_DATA to its folder)")
    return path


@pytest.fixture(scope="session")
def ray_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Ray of this machine that all tests of a cluster share, for starting one takes a while."""
    pytest.importorskip("ray", reason="the engine is an extra, cliper[ray]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("ray") / "log"
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
        f"--port={port}", "--num-cpus=4", "--disable-usage-stats",
        "--include-dashboard=false", "--object-store-memory=200000000",
    ]  # fmt: skip
    # Its workers find what the tests import; on a real cluster the package is installed.
    here = Path(__file__).parent
    paths = [*sys.path, str(here / "parallel"), str(here / "encoders")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with log.open("wb") as out:
        head = subprocess.Popen(
            command, stdout=out, stderr=out, start_new_session=True, env=environment
        )
    try:
        deadline = time.monotonic() + 180
        while b"Ray runtime started" not in log.read_bytes():
            assert head.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        head.terminate()
        head.wait(60)
