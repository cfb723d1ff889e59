"""Every hostile file through the reader that everything uses, and the meter of the benchmark."""

import os

import child_readers
import pytest

from cliper.data.pictures import PictureError, check_picture, process, read_picture
from generated.hostile import HostileImage, hostile_images
from generated.hostile.measure import Meter
from generated.hostile.readers import GOOD


def verdicts(image: HostileImage) -> list[str]:
    """What comes of checking one file and of reading it for an encoder."""
    told = []
    for read in (check_picture, lambda data: read_picture(data, 224)):
        try:
            read(image.data)
            told.append(GOOD)
        except PictureError as error:
            told.append(f"refused: {error}")
    return told


def test_every_hostile_file_is_decoded_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_idle", [])
    monkeypatch.setattr(process, "MAX_SECONDS", 30)  # the slowest takes 3.5 s on a good day
    count, wrong = 0, []
    for image in hostile_images(flood=500_000):
        count += 1
        checked, read = verdicts(image)
        if (checked == GOOD) != (read == GOOD):
            wrong.append(f"{image.name}: checked: {checked}, read: {read}")
        if image.expected != "either" and (checked == GOOD) != (image.expected == GOOD):
            wrong.append(f"{image.name}: {checked}, expected: {image.expected}")
    for child in process._idle:
        child.end()
    assert not wrong, "\n".join(wrong)
    assert count >= 150


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are measured on Unix only")
def test_the_meter_sees_time_memory_and_death() -> None:
    with Meter(["generated.hostile.readers"]) as meter:
        calm = meter(child_readers.calm, b"")
        busy = meter(child_readers.busy, b"")
        assert (calm.outcome, calm.peak_bytes < 5e6) == ("calm", True)
        assert calm.cpu_seconds < busy.cpu_seconds >= 0.3
        assert 1.9e8 < meter(child_readers.large, b"").peak_bytes < 2.4e8
        assert meter(child_readers.large, b"", limit=10**8).outcome.startswith("raised MemoryError")
        assert meter(child_readers.dying, b"").outcome == "died (exit status 7)"
        assert meter(child_readers.asleep, b"", timeout=0.3).outcome == "killed after 0.3 s"
