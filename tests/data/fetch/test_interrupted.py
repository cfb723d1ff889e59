"""Runs in another process that are killed at random moments, or interrupted, and go on."""

import hashlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from bad_server import Server, picture, redirect, serving, whole
from fetch_world import FAST, command_in_child, fetch_in_child, make

from cliper.data import Dataset
from cliper.data.fetch import FetchSettings, fetch_images

N = 49
# Its children start with everything imported, and without the threads of this process.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["cliper.data.fetch"])
# Slow enough that a kill lands in the middle.
SETTINGS = {**FAST, "rate": 60.0, "retries": 1, "concurrency": 8}


def answer_all(server: Server) -> list[tuple[str, ...]]:
    """Pictures, errors that pass or stay, redirects, the same bytes twice, second choices."""
    bad = whole(b"", 500)
    urls = []
    for n in range(N):
        server.answers[f"/{n}"] = whole(picture(n % 50, size=(16, 16)))
        own = [server.url(f"/{n}")]
        if n % 7 == 1:
            own = [server.url(f"/gone{n}"), *own]
        elif n % 7 == 2:
            server.answers[f"/bad{n}"] = bad
            own = [server.url(f"/bad{n}"), *own]
        elif n % 7 == 3:
            server.answers[f"/to{n}"] = redirect(f"/{n}")
            own = [server.url(f"/to{n}")]
        elif n % 7 == 4:
            server.answers[f"/html{n}"] = whole(b"<html>")
            own = [server.url(f"/html{n}")]
        elif n % 7 == 5:
            own = [server.url(f"/{n - 5}")]
        urls.append(tuple(own))
    return urls


def start(path: Path, arguments: list[str] | None = None) -> ForkServerProcess:
    """A run in another process; of the command line where it has arguments."""
    process = (
        PROCESSES.Process(target=fetch_in_child, args=(path, SETTINGS))
        if arguments is None
        else PROCESSES.Process(target=command_in_child, args=(path, arguments))
    )
    process.start()
    return process


def ended(process: ForkServerProcess) -> int | None:
    process.join(timeout=60)
    return process.exitcode


def contents(path: Path) -> dict[str, str]:
    """Every file that counts; the journal's order and the lock do not."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if file.is_file() and name not in ("fetched/journal.jsonl", "fetched/.lock"):
            found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


World = tuple[Server, list[tuple[str, ...]], dict[str, str]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The server, the items' addresses, and what a run without interruption leaves."""
    with serving() as server:
        urls = answer_all(server)
        path = tmp_path_factory.mktemp("whole") / "d"
        make(path, urls)
        fetch_images(Dataset.load(path), FetchSettings(**SETTINGS))
        yield server, urls, contents(path)


def test_a_run_that_was_killed_many_times_ends_like_one_that_was_not(
    world: World, tmp_path: Path
) -> None:
    server, urls, expected = world
    path = tmp_path / "d"
    make(path, urls)
    server.counts.clear()
    generator = random.Random(0)
    kills = 0
    for _ in range(6):
        process = start(path)
        begun = server.counts.total()
        deadline = time.monotonic() + 30
        while server.counts.total() == begun and process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(generator.uniform(0.0, 0.35))
        process.kill()
        kills += ended(process) == -signal.SIGKILL
        assert Dataset.load(path).catalogue is not None  # never half a dataset
    assert kills >= 3
    assert ended(start(path)) == 0
    assert contents(path) == expected
    # What was recorded is not asked for again: a kill costs at most what was under way.
    served = [server.counts[f"/{n}"] for n in range(N) if n % 7 != 3]
    under_way = kills * SETTINGS["concurrency"]  # those that are being decoded among them
    assert sum(served) - sum(count > 0 for count in served) <= under_way


def test_an_interrupted_command_keeps_what_it_finished_and_goes_on(
    world: World, tmp_path: Path
) -> None:
    server, urls, expected = world
    path = tmp_path / "d"
    make(path, urls)
    server.counts.clear()
    command = ["--allow-host", "127.0.0.1", "--rate", "60", "--retries", "1"]
    process = start(path, command)
    deadline = time.monotonic() + 30
    journal = path / "fetched" / "journal.jsonl"
    while not journal.is_file() or journal.read_bytes().count(b'"file"') < 6:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    assert ended(process) == 130
    catalogue = Dataset.load(path).catalogue
    assert catalogue is not None
    so_far = [p for p in catalogue.image_paths() if p is not None]
    assert 5 <= len(so_far) < N
    assert all(p.is_file() for p in so_far)
    assert (path / "fetched" / "failures.csv").is_file()
    assert ended(start(path)) == 0
    assert contents(path) == expected
