"""Every hostile file through both readers, in processes whose time and memory are measured."""

import os
from collections.abc import Iterator

import child_readers
import pytest

from generated.hostile import HostileImage, hostile_images
from generated.hostile.measure import Meter
from generated.hostile.readers import GOOD, MODULES

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="processes are measured on Unix only"
)
SECONDS, BYTES = 2.0, 512 * 2**20
# A busy machine's seconds are longer: a file may also cost so many times what an honest picture of
# the largest size costs at that moment.
TIMES = 4


@pytest.fixture(scope="module")
def meter() -> Iterator[Meter]:
    with Meter(MODULES) as running:
        yield running


def too_slow(meter: Meter, image: HostileImage, honest: HostileImage, seconds: float) -> bool:
    """Over both bounds, in each of three readings beside the honest picture."""
    for _ in range(3):
        largest = meter(child_readers.both, honest.data).cpu_seconds
        if seconds <= max(2 * SECONDS, TIMES * largest):
            return False
        seconds = meter(child_readers.both, image.data).cpu_seconds
    return True


def complaints(meter: Meter, image: HostileImage, honest: HostileImage) -> list[str]:
    """What is wrong with how one file was read, one way after the other in one process."""
    cost = meter(child_readers.both, image.data)
    found = []
    if cost.cpu_seconds > 2 * SECONDS and too_slow(meter, image, honest, cost.cpu_seconds):
        found.append(f"{cost.cpu_seconds:.1f} s")
    if cost.peak_bytes > BYTES:
        found.append(f"{cost.peak_bytes / 2**20:.0f} MiB")
    outcomes = cost.outcome.split(" | ")
    if not all(one == GOOD or one.startswith("refused: ") for one in outcomes):
        found.append(cost.outcome)
    verified, encoded = (one == GOOD for one in outcomes) if len(outcomes) == 2 else (False, True)
    if verified != encoded:
        found.append(f"the two ways differ: {cost.outcome}")
    if image.expected != "either" and verified != (image.expected == GOOD):
        found.append(f"{cost.outcome}, expected: {image.expected}")
    return [f"{image.name}: {one}" for one in found]


def test_every_hostile_file_is_decoded_or_refused_within_bounds(meter: Meter) -> None:
    count, wrong = 0, []
    (honest,) = (image for image in hostile_images() if image.name == "limit.png")
    assert honest.expected == GOOD
    for image in hostile_images():
        count += 1
        wrong += complaints(meter, image, honest)
    assert not wrong, "\n".join(wrong)
    assert count >= 150


def test_the_meter_sees_time_memory_and_death(meter: Meter) -> None:
    calm = meter(child_readers.calm, b"")
    busy = meter(child_readers.busy, b"")
    assert (calm.outcome, calm.peak_bytes < 5e6) == ("calm", True)
    assert calm.cpu_seconds < busy.cpu_seconds >= 0.3
    assert 1.9e8 < meter(child_readers.large, b"").peak_bytes < 2.4e8
    assert meter(child_readers.large, b"", limit=10**8).outcome.startswith("raised MemoryError")
    assert meter(child_readers.dying, b"").outcome == "died (exit status 7)"
    assert meter(child_readers.asleep, b"", timeout=0.3).outcome == "killed after 0.3 s"
