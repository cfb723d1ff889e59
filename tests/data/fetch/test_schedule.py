"""The schedule against a clock that the tests turn."""

import itertools
import random

from cliper.data.fetch.schedule import Schedule


def play(schedule: Schedule[int], lasts: float, until: float = 1e9) -> list[tuple[float, str, int]]:
    """Let every job last so long; return (start, host, job)."""
    now, ends, starts = 0.0, [], []
    while now < until:
        while (taken := schedule.take(now)) is not None:
            starts.append((now, *taken))
            ends.append((now + lasts, taken[0]))
        wait = schedule.wait(now)
        times = ([now + wait] if wait is not None else []) + [end for end, _ in ends]
        if not times:
            return starts
        now = min(times)
        for entry in [e for e in ends if e[0] <= now]:
            ends.remove(entry)
            schedule.finish(entry[1])
    return starts


def test_a_host_has_few_jobs_at_once() -> None:
    schedule: Schedule[int] = Schedule(per_host=3, rate=1e6)
    for job in range(10):
        schedule.add("a", job)
    starts = play(schedule, lasts=1.0)
    assert [job for _, _, job in starts] == list(range(10))
    assert [round(at) for at, _, _ in starts] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


def test_a_host_has_few_starts_a_second_and_another_does_not_wait_for_it() -> None:
    schedule: Schedule[int] = Schedule(per_host=10, rate=2.0)
    for job in range(6):
        schedule.add("a", job)
        schedule.add("b", job)
    starts = play(schedule, lasts=0.01)
    for host in "ab":
        times = [at for at, name, _ in starts if name == host]
        assert times == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]


def test_a_late_job_takes_no_place_of_one_that_is_due() -> None:
    schedule: Schedule[int] = Schedule(per_host=1, rate=1e6)
    schedule.add("a", 1, at=5.0)
    schedule.add("a", 2)
    schedule.add("a", 3, at=3.0)
    assert [(round(at), job) for at, _, job in play(schedule, lasts=0.1)] == [
        (0, 2),
        (3, 3),
        (5, 1),
    ]


def test_a_pause_holds_everything_of_one_host() -> None:
    schedule: Schedule[int] = Schedule(per_host=2, rate=1e6)
    for job in range(3):
        schedule.add("a", job)
        schedule.add("b", job)
    assert schedule.take(0.0) == ("a", 0)
    schedule.pause("a", 9.0)
    schedule.finish("a")
    starts = play(schedule, lasts=0.1)
    assert {round(at) for at, host, _ in starts if host == "b"} == {0}
    assert [(round(at), job) for at, host, job in starts if host == "a"] == [(9, 1), (9, 2)]


def test_a_closed_host_gives_back_what_waits() -> None:
    schedule: Schedule[int] = Schedule(per_host=1, rate=1e6)
    for job in (3, 1, 2):
        schedule.add("a", job)
    assert schedule.take(0.0) == ("a", 3)
    assert schedule.close("a") == [1, 2]
    assert schedule.waiting == 0
    schedule.finish("a")
    assert schedule.take(1.0) is None
    assert schedule.wait(1.0) is None


def test_any_order_of_events_keeps_the_limits_and_loses_nothing() -> None:
    for seed in range(30):
        generator = random.Random(seed)
        per_host, rate = generator.randint(1, 3), generator.choice([1.0, 5.0, 50.0])
        schedule: Schedule[int] = Schedule(per_host, rate)
        jobs = generator.randint(1, 60)
        due = {}
        for job in range(jobs):
            due[job] = generator.choice([0.0, 0.0, generator.uniform(0, 3)])
            schedule.add(generator.choice("abc"), job, due[job])
        lasts = generator.uniform(0.01, 1.0)
        starts = play(schedule, lasts)
        assert sorted(job for _, _, job in starts) == list(range(jobs))
        assert all(at >= due[job] for at, _, job in starts)
        for host in "abc":
            times = sorted(at for at, name, _ in starts if name == host)
            gaps = [b - a for a, b in itertools.pairwise(times)]
            assert all(gap >= 1 / rate - 1e-9 for gap in gaps)
            for at in times:
                assert sum(at - lasts + 1e-9 < other <= at for other in times) <= per_host
