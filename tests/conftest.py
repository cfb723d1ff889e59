"""Fixtures that every room may use."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with Ray in one process, one after another: some kill a worker, and find it by name."""
    for item in items:
        if "under_ray" in getattr(item, "fixturenames", ()) or item.path.name == "test_ray.py":
            item.add_marker(pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real development data; tests that need it are skipped where it is absent."""
    named = os.environ.get("CLIPER_DATA")
    path = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data at {path} (set CLIPER_DATA to its folder)")
    return path


@pytest.fixture(scope="module")
def under_ray() -> Iterator[None]:
    """A Ray that the tests of a module share, for starting one takes a while."""
    ray = pytest.importorskip("ray", reason="the engine is an extra, cliper[ray]")
    # Its workers find what the tests import; on a real cluster the package is installed.
    path = os.pathsep.join([*sys.path, str(Path(__file__).parent / "parallel")])
    ray.init(
        "local", num_cpus=4, object_store_memory=2 * 10**8, include_dashboard=False,
        log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}},
    )  # fmt: skip
    yield
    ray.shutdown()
