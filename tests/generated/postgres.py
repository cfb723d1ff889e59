"""A PostgreSQL server of its own in a temporary folder, by Debian's package."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def programs() -> Path:
    """Where `initdb` and `postgres` are."""
    found = [*sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")), shutil.which("initdb")]
    there = [Path(path) for path in found if path]
    if not there:
        pytest.skip("no PostgreSQL (Debian: apt-get install postgresql)")
    return there[-1].parent


@contextmanager
def postgres() -> Iterator[str]:
    """The address of its database; it ends with the block."""
    where = programs()
    # it refuses to run as root
    other: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="cliper-pg-"))
    try:
        if other:
            shutil.chown(folder, **other)
        data = folder / "data"
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "cwd": folder, **other}
        init = [where / "initdb", "-D", data, "-U", "shop", "--auth=trust", "--no-sync"]
        subprocess.run(init, check=True, **quiet)
        options = f"-k {folder} -c listen_addresses="
        control = [where / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        subprocess.run([*control, "-o", options, "start"], check=True, **quiet)
        try:
            yield f"postgresql+psycopg://shop@/postgres?host={folder}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
