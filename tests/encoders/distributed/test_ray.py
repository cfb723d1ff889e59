"""A local Ray of two workers against a single process: whole, with a worker killed, resumed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from cliper.encoders import encode_fill
from cliper.encoders.content import Content
from cliper.encoders.distributed import encode_on_ray
from cliper.encoders.encode import encode_dataset
from cliper.encoders.encode_report import EncodeReport
from cliper.parallel import OnRay

from ..encode_world import FakeViews, choose, dataset_of

N, VIEWS = 200, 8


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(encode_fill, "TEXT_CHUNK", 64)
    monkeypatch.setattr(encode_fill, "IMAGE_CHUNK", 32)


def many_views() -> FakeViews:
    """1,600 distinct texts near the limit, so that there is time to be killed in."""
    texts = [[f"view {c} of thing {i} " + "long " * 60 for i in range(N)] for c in range(VIEWS)]
    return FakeViews(tuple(f"view{c}" for c in range(VIEWS)), texts, texts[0])


def content(encodings) -> list[bytes]:
    arrays = (encodings.text, encodings.text_present, encodings.image, encodings.image_present)
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@pytest.fixture(scope="module")
def single(tmp_path_factory, clip_folder):
    """What one process makes of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode_fill, "TEXT_CHUNK", 64)
        patch.setattr(encode_fill, "IMAGE_CHUNK", 32)
        dataset = dataset_of(tmp_path_factory.mktemp("single"), N)
        return content(encode_dataset(dataset, many_views(), choose(str(clip_folder))))


def on_ray(dataset, views, settings):
    return encode_on_ray(Content.of(dataset, views.names, views.texts), settings, OnRay(2))


def finished(dataset, clip_folder) -> tuple[list[bytes], EncodeReport]:
    reports: list[EncodeReport] = []
    encodings = encode_dataset(
        dataset, many_views(), choose(str(clip_folder)), on_report=reports.append
    )
    return content(encodings), reports[0]


def close(ours: list[bytes], single: list[bytes]) -> None:
    """Equal bytes where this process computes with one thread, as Ray's do, else up to rounding."""
    for a, b in zip(ours, single, strict=True):
        if torch.get_num_threads() == 1 or len(a) < 4 * N * VIEWS:  # the masks
            assert a == b
        else:
            both = np.frombuffer(a, np.float32), np.frombuffer(b, np.float32)
            np.testing.assert_allclose(*both, atol=1e-5)


def workers() -> list[int]:
    """Process ids of this machine's actors."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit() and b"ray::_Actor" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def test_two_workers_and_one_of_them_killed(under_ray, tmp_path, clip_folder, single):
    dataset = dataset_of(tmp_path, N)
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 120
        while not killed and time.monotonic() < deadline:
            if len(list(tmp_path.glob("encodings/*/text/*.keys.npy"))) >= 2:
                for pid in workers()[:1]:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    report = on_ray(dataset, many_views(), choose(str(clip_folder)))
    thread.join()
    assert len(killed) == 1, "no worker was there to be killed"
    assert report.workers and report.texts + report.skipped_chunks > 0
    ours, second = finished(dataset, clip_folder)
    assert second.encoded_texts == second.encoded_images == 0
    close(ours, single)


def test_a_killed_job_goes_on_where_it_was(under_ray, tmp_path, clip_folder, single):
    dataset = dataset_of(tmp_path, N)
    dataset.save(tmp_path)
    script = tmp_path / "job.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from pathlib import Path\n"
        "from cliper.encoders import encode_fill\n"
        "from cliper.encoders.distributed import encode_on_ray\n"
        "from cliper.data import Dataset\n"
        "from cliper.parallel import OnRay\n"
        "from cliper.encoders.content import Content\n"
        "from encode_world import FakeViews, choose\n"
        "encode_fill.TEXT_CHUNK, encode_fill.IMAGE_CHUNK = 64, 32\n"
        f"texts = [[f'view {{c}} of thing {{i}} ' + 'long ' * 60 for i in range({N})]"
        f" for c in range({VIEWS})]\n"
        f"views = FakeViews(tuple(f'view{{c}}' for c in range({VIEWS})), texts, texts[0])\n"
        f"content = Content.of(Dataset.load({str(tmp_path)!r}), views.names, views.texts)\n"
        f"encode_on_ray(content, choose({str(clip_folder)!r}), OnRay(1))\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.glob("encodings/*/text/*.keys.npy"))) < 3:
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    report = on_ray(dataset, many_views(), choose(str(clip_folder)))
    there = 64 * 3
    assert 0 < report.texts <= N * VIEWS - there
    ours, second = finished(dataset, clip_folder)
    assert second.encoded_texts == 0
    close(ours, single)


def test_what_is_there_needs_no_cluster(tmp_path, clip_folder):
    dataset = dataset_of(tmp_path, 12)
    views = FakeViews(("title",), [[f"thing {i}" for i in range(12)]], [None] * 12)
    encode_dataset(dataset, views, choose(str(clip_folder)))
    report = on_ray(dataset, views, choose(str(clip_folder)))
    assert (report.texts, report.images, report.workers) == (0, 0, set())


def test_options_of_the_cluster_without_it_are_refused(tmp_path, capsys):
    from cliper.cli import main

    assert main(["encode", str(tmp_path), "--workers", "4", "--json"]) == 2
    assert "--workers" in capsys.readouterr().err


def test_embedded_through_the_command_starts_its_own_ray(tmp_path, capsys):
    pytest.importorskip("ray", reason="the engine is an extra, cliper[ray]")
    from cliper.cli import main

    dataset_of(tmp_path, 24).save(tmp_path)
    assert main(["encode", str(tmp_path), "--engine", "ray", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["distributed"]["texts"] > 0 and said["encoded_texts"] == 0
    assert said["distributed"]["unusable_images"] == 1
