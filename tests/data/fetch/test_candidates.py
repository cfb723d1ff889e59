"""The walk over each item's addresses, without a network."""

import random

from cliper.data.fetch.candidates import Candidates
from cliper.data.fetch.outcome import Cause, FetchError, Outcome, Picture, http_error

GONE, BUSY = http_error(404), http_error(500)
A, B = Picture("a.jpg", 1), Picture("b.jpg", 1)


def test_an_address_that_was_not_tried_yet_is_not_passed_over() -> None:
    """Interrupted here, item 0 has no picture yet: its preferred one may still come."""
    walk = Candidates({0: ("slow", "fast"), 1: ("fast",)})
    assert walk.start() == ["slow", "fast"]
    assert walk.resolve("fast", A) == []
    assert walk.pictures() == {1: "a.jpg"}
    assert walk.unresolved == 1
    assert walk.resolve("slow", BUSY) == []
    assert walk.pictures() == {0: "a.jpg", 1: "a.jpg"}
    assert walk.failures() == [(0, 1, "slow", BUSY)]


def test_what_stands_and_what_is_tried_again() -> None:
    known: dict[str, Outcome] = {"gone": GONE, "busy": BUSY, "a": A}
    addresses = {0: ("gone", "busy", "a"), 1: ("a",), 2: ("gone",), 3: ("new",)}
    assert Candidates(addresses, known).start() == ["busy", "new"]
    assert Candidates(addresses, known, retry_failed=True).start() == ["gone", "new"]
    kept = Candidates(addresses, known, present={0: "a.jpg"})
    assert kept.start() == ["new"]
    assert kept.unresolved == 1
    assert kept.failures() == [(0, 1, "gone", GONE), (0, 2, "busy", BUSY), (2, 1, "gone", GONE)]
    assert kept.pictures() == {0: "a.jpg", 1: "a.jpg"}


def test_any_order_of_answers_ends_in_the_first_good_address() -> None:
    for seed in range(50):
        generator = random.Random(seed)
        names = [f"u{n}" for n in range(12)]
        truth: dict[str, Outcome] = {
            name: generator.choice([A, B, GONE, BUSY, FetchError(Cause.EMPTY).failure])
            for name in names
        }
        addresses = {
            item: tuple(generator.sample(names, generator.randint(1, 4))) for item in range(20)
        }
        walk = Candidates(addresses)
        asked, open_ = [], walk.start()
        while open_:
            address = open_.pop(generator.randrange(len(open_)))
            asked.append(address)
            open_ += walk.resolve(address, truth[address])
        assert len(asked) == len(set(asked))
        assert walk.unresolved == 0
        good = {
            item: next((o.file for a in own if isinstance(o := truth[a], Picture)), None)
            for item, own in addresses.items()
        }
        assert walk.pictures() == {item: file for item, file in good.items() if file}
