"""From a dataset with addresses to a dataset with pictures."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from bad_server import Answer, Server, endless, first, head, picture, raw, redirect, whole
from fetch_world import FAST, make

from cliper.data import Dataset, prepare_files
from cliper.data.fetch import FetchReport, FetchSettings, fetch_images
from cliper.data.images import TO_FETCH
from cliper.errors import InputError

GOOD = [picture(seed) for seed in range(8)]


def fetch(path: Path, **settings: Any) -> FetchReport:
    return fetch_images(Dataset.load(path), FetchSettings(**{**FAST, **settings}))[1]


def served(path: Path) -> list[bytes | None]:
    """The bytes of each item's picture, as a user of the dataset finds them."""
    catalogue = Dataset.load(path).catalogue
    assert catalogue is not None
    return [None if p is None else p.read_bytes() for p in catalogue.image_paths()]


def failures(path: Path) -> list[dict[str, str]]:
    with (path / "fetched" / "failures.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_whole_way(server: Server, tmp_path: Path) -> None:
    server.answers = {"/0": whole(GOOD[0]), "/1": whole(GOOD[1]), "/same": whole(GOOD[1])}
    urls = [(server.url("/0"),), (server.url("/1"),), (server.url("/same"),), (), (
        server.url("/gone"), server.url("/0")), (server.url("/gone"),)]  # fmt: skip
    before = make(tmp_path / "d", urls)
    dataset, report = fetch_images(before, FetchSettings(**FAST))
    assert served(tmp_path / "d") == [GOOD[0], GOOD[1], GOOD[1], None, GOOD[0], None]
    assert dataset.hash != before.hash
    assert dataset.hash == Dataset.load(tmp_path / "d").hash
    about = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert about["hash"] == dataset.hash
    assert about["images"] == 4
    assert about["changed"]["images"] == {TO_FETCH: 1}
    assert about["fetched"] == {
        "items": 4,
        "pictures": 2,
        "failures": {"HTTP 404 Not Found": 1},
    }
    assert len(list((tmp_path / "d" / "images").iterdir())) == 2  # the same content once
    assert server.counts == {"/0": 1, "/1": 1, "/same": 1, "/gone": 1}  # each address once
    assert (report.with_addresses, report.had_image, report.fetched) == (5, 0, 4)
    assert (report.without_image, report.unfinished) == (1, 0)
    assert (report.requests, report.bytes) == (4, len(GOOD[0]) + 2 * len(GOOD[1]))
    assert failures(tmp_path / "d") == [
        {
            "item_id": item, "candidate": "1", "url": server.url("/gone"), "cause": "HTTP error",
            "status": "404", "detail": "HTTP 404 Not Found", "tried_again": "with --retry-failed",
            "item_has_image": has,
        }
        for item, has in (("i4", "yes"), ("i5", "no"))
    ]  # fmt: skip
    rest = pq.read_table(tmp_path / "d" / "items.parquet")
    assert rest.column_names == ["item_id", "title", "image", "image_urls"]
    assert rest["image_urls"].to_pylist() == [list(own) or None for own in urls]


def test_nothing_is_asked_for_twice(server: Server, tmp_path: Path) -> None:
    server.answers = {"/0": whole(GOOD[0]), "/html": whole(b"<html>sorry</html>")}
    make(tmp_path / "d", [(server.url("/0"),), (server.url("/html"),), (server.url("/gone"),)])
    fetch(tmp_path / "d")
    names = ("dataset.json", "items.parquet", "fetched/failures.csv")
    first_files = {name: (tmp_path / "d" / name).read_bytes() for name in names}
    report = fetch(tmp_path / "d")
    assert (report.requests, report.had_image, report.fetched, report.without_image) == (0, 1, 0, 2)
    assert {name: (tmp_path / "d" / name).read_bytes() for name in names} == first_files
    assert set(server.counts.values()) == {1}
    fetch(tmp_path / "d", retry_failed=True)
    assert server.counts == {"/0": 1, "/html": 2, "/gone": 2}


def test_passing_failures_are_tried_again_at_once_and_by_the_next_run(
    server: Server, tmp_path: Path
) -> None:
    bad = whole(b"", 500)
    server.answers = {
        "/twice": first([bad, bad], whole(GOOD[0])),
        "/always": bad,
        "/later": first([bad] * 4, whole(GOOD[1])),
    }
    make(tmp_path / "d", [(server.url(path),) for path in ("/twice", "/always", "/later")])
    report = fetch(tmp_path / "d", retries=3)
    assert served(tmp_path / "d") == [GOOD[0], None, None]
    assert server.counts == {"/twice": 3, "/always": 4, "/later": 4}
    assert report.failures == {"HTTP 500 Internal Server Error": 2}
    assert {row["tried_again"] for row in failures(tmp_path / "d")} == {"next run"}
    fetch(tmp_path / "d", retries=0)
    assert served(tmp_path / "d") == [GOOD[0], None, GOOD[1]]
    assert server.counts == {"/twice": 3, "/always": 5, "/later": 5}


def test_a_host_that_asks_for_a_pause_gets_it(server: Server, tmp_path: Path) -> None:
    slow_down = whole(b"", 429, "Retry-After: 1")
    server.answers = {f"/{n}": whole(GOOD[n]) for n in range(4)}
    server.answers["/0"] = first([slow_down], whole(GOOD[0]))
    make(tmp_path / "d", [(server.url(f"/{n}"),) for n in range(4)])
    fetch(tmp_path / "d", per_host=1)
    assert served(tmp_path / "d") == GOOD[:4]
    gaps = np.diff(server.times)
    assert gaps[0] >= 1.0  # nothing else is asked of it meanwhile
    assert gaps[1:].max() < 0.5


def test_a_host_that_asks_for_too_long_a_pause_is_left_for_next_time(
    server: Server, tmp_path: Path
) -> None:
    server.answers = {f"/{n}": whole(GOOD[n]) for n in range(4)}
    server.answers["/0"] = first([whole(b"", 503, "Retry-After: 3600")], whole(GOOD[0]))
    make(tmp_path / "d", [(server.url(f"/{n}"),) for n in range(4)])
    report = fetch(tmp_path / "d", per_host=1)
    assert server.asked == ["/0"]
    assert report.failures == {
        "the host was given up for this run": 3,
        "HTTP 503 Service Unavailable": 1,
    }
    fetch(tmp_path / "d")
    assert served(tmp_path / "d") == GOOD[:4]


def test_a_silent_host_is_given_up(server: Server, tmp_path: Path) -> None:
    with Server() as gone:
        dead = gone.url("/").replace("127.0.0.1", "localhost")
    server.answers = {"/0": whole(GOOD[0])}
    urls = [(f"{dead}{n}", server.url("/0")) for n in range(200)]
    make(tmp_path / "d", urls)
    allowed = ("127.0.0.1", "localhost")
    report = fetch(tmp_path / "d", give_up_after=10, retries=1, allowed_hosts=allowed)
    assert served(tmp_path / "d") == [GOOD[0]] * 200
    assert server.counts["/0"] == 1
    assert report.requests <= 10 + 4 + 1  # what was under way to the silent host may end
    assert report.failures["the host was given up for this run"] > 180
    assert sum(report.failures.values()) == 200


def test_an_error_page_or_a_broken_picture_is_never_kept(server: Server, tmp_path: Path) -> None:
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
    half = GOOD[0][: len(GOOD[0]) // 2]
    answers: dict[str, Answer] = {
        "an HTML page": whole(b"\n<!DOCTYPE html><p>Not found", 200, "Content-Type: image/jpeg"),
        "JSON": whole(b'{"error": 1}'),
        "an SVG drawing": whole(svg),
        "a PDF document": whole(b"%PDF-1.7 and so on"),
        "a ZIP archive": whole(b"PK\x03\x04 and so on"),
        "it begins like AVIF": whole(b"\x00\x00\x00\x1cftypavif and so on"),
        "text (text/plain)": whole(b"Not found", 200, "Content-Type: text/plain; charset=x"),
        "truncated": whole(half),
        "it begins like PNG": whole(b"\x89PNG\r\n\x1a\n" + bytes(50)),
    }
    server.answers = {f"/{n}": answer for n, answer in enumerate(answers.values())}
    make(tmp_path / "d", [(server.url(path),) for path in server.answers])
    fetch(tmp_path / "d")
    assert served(tmp_path / "d") == [None] * len(answers)
    told = {row["detail"] for row in failures(tmp_path / "d")}
    assert told == answers.keys()
    assert set(server.counts.values()) == {1}
    assert list((tmp_path / "d" / "images").iterdir()) == []
    kept = {path.name for path in (tmp_path / "d" / "fetched").iterdir()}
    assert kept <= {"failures.csv", "journal.jsonl", ".lock"}


def test_a_picture_cut_off_by_a_lost_connection_is_asked_for_again(
    server: Server, tmp_path: Path
) -> None:
    half = GOOD[0][: len(GOOD[0]) // 2]
    server.answers = {
        "/length": first(
            [raw(head(200, f"Content-Length: {len(GOOD[0])}") + half)], whole(GOOD[0])
        ),
        "/close": first([raw(head(200) + half)], whole(GOOD[0])),
    }
    make(tmp_path / "d", [(server.url("/length"),), (server.url("/close"),)])
    fetch(tmp_path / "d")
    assert served(tmp_path / "d") == [GOOD[0], GOOD[0]]


def test_politeness_to_one_host(server: Server, tmp_path: Path) -> None:
    def slow(write: Any, before: int) -> bool:
        import time

        time.sleep(0.05)
        return bool(whole(GOOD[0])(write, before))

    server.answers = {f"/{n}": slow for n in range(12)} | {
        f"/r{n}": redirect(f"/{n}") for n in range(12)
    }
    make(tmp_path / "d", [(server.url(f"/r{n}"),) for n in range(12)])
    fetch(tmp_path / "d", per_host=2)
    assert server.most_at_once <= 2
    make(tmp_path / "e", [(server.url(f"/{n}"),) for n in range(12)])
    del server.times[:]
    fetch(tmp_path / "e", rate=20.0)
    assert server.times[-1] - server.times[0] >= 11 / 20 - 0.05


def test_redirects_to_private_places_and_addresses_that_are_not_public(
    server: Server, tmp_path: Path
) -> None:
    server.answers = {"/r": redirect("http://169.254.169.254/latest/meta-data/")}
    urls = [(server.url("/r"),), ("http://localhost/a",), ("ftp://x.org/a",)]
    make(tmp_path / "d", urls)
    report = fetch(tmp_path / "d")
    assert report.failures == {"refused: not a public address": 2, "not a usable address": 1}
    closed = fetch(tmp_path / "d", allowed_hosts=())
    assert closed.failures == report.failures


def test_a_picture_from_prepare_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.answers = {"/0": whole(GOOD[0])}
    (tmp_path / "d" / "images").mkdir(parents=True)
    (tmp_path / "d" / "images" / "own.jpg").write_bytes(GOOD[5])
    make(
        tmp_path / "d",
        [(server.url("/0"),), (server.url("/0"),), (server.url("/0"),)],
        ["images/own.jpg", None, "images/lost.jpg"],
    )
    report = fetch(tmp_path / "d")
    assert served(tmp_path / "d") == [GOOD[5], GOOD[0], GOOD[0]]
    assert (report.with_addresses, report.had_image, report.fetched) == (3, 1, 2)


def test_preparing_again_needs_no_second_download(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{n}": whole(GOOD[n]) for n in range(3)}
    rows = [{"item_id": f"i{n}", "image_url": server.url(f"/{n}")} for n in range(3)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    log = "user_id,item_id\n" + "".join(f"u,i{n}\n" for n in range(3))
    (tmp_path / "log.csv").write_text(log)

    def prepare() -> None:
        prepare_files(
            tmp_path / "items.jsonl", tmp_path / "log.csv", None, tmp_path / "d", k_core=0
        )

    prepare()
    fetch(tmp_path / "d")
    prepare()
    assert served(tmp_path / "d") == [None] * 3
    report = fetch(tmp_path / "d")
    assert served(tmp_path / "d") == GOOD[:3]
    assert (report.requests, report.fetched) == (0, 3)


def test_a_lost_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.answers = {"/0": whole(GOOD[0])}
    make(tmp_path / "d", [(server.url("/0"),)])
    fetch(tmp_path / "d")
    (name,) = [path.name for path in (tmp_path / "d" / "images").iterdir()]
    (tmp_path / "d" / "images" / name).unlink()
    assert fetch(tmp_path / "d").requests == 0  # the store still has it
    assert served(tmp_path / "d") == [GOOD[0]]
    (tmp_path / "d" / "images" / name).unlink()
    os.truncate(tmp_path / "d" / "fetched" / name, 5)
    assert fetch(tmp_path / "d").requests == 1
    assert served(tmp_path / "d") == [GOOD[0]]


def test_a_damaged_journal_costs_a_download_and_no_more(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{n}": whole(GOOD[n]) for n in range(3)}
    make(tmp_path / "d", [(server.url(f"/{n}"),) for n in range(3)])
    fetch(tmp_path / "d", per_host=1)
    journal = tmp_path / "d" / "fetched" / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    escape = json.dumps({"url": server.url("/0"), "file": "../../etc/passwd", "size": 1}).encode()
    for damage in (b"\xff\xfe{", b"[1]\n", b'{"url": 5}\n', b"null\n", escape):
        journal.write_bytes(lines[0] + lines[1] + damage)
        before = server.counts.total()
        for name in (tmp_path / "d" / "images").iterdir():
            name.unlink()
        fetch(tmp_path / "d")
        assert served(tmp_path / "d") == GOOD[:3]
        assert server.counts.total() - before == 1


def test_datasets_without_addresses_are_refused(tmp_path: Path) -> None:
    make(tmp_path / "d", [(), ()])
    with pytest.raises(InputError, match="names no addresses"):
        fetch(tmp_path / "d")


def test_two_runs_at_once_are_refused(server: Server, tmp_path: Path) -> None:
    from cliper.data.fetch.store import PictureStore

    make(tmp_path / "d", [(server.url("/0"),)])
    with (
        PictureStore(tmp_path / "d" / "fetched").opened(),
        pytest.raises(InputError, match="another command fetches"),
    ):
        fetch(tmp_path / "d")


def test_an_item_with_a_thousand_bad_addresses(server: Server, tmp_path: Path) -> None:
    server.answers = {"/0": whole(GOOD[0])}
    bad = tuple(f"ftp://x.org/{n}" for n in range(1_000))
    make(tmp_path / "d", [(*bad, server.url("/0"))])
    fetch(tmp_path / "d")
    assert served(tmp_path / "d") == [GOOD[0]]
    assert len(failures(tmp_path / "d")) == 1_000


def test_bodies_without_end_leave_the_others_alone(server: Server, tmp_path: Path) -> None:
    server.answers = {f"/{n}": whole(GOOD[n]) for n in range(4)}
    server.answers["/endless"] = endless(head(200), b"x" * 5_000)
    server.answers["/drip"] = endless(head(200), b"x", pause=0.1)
    paths = ["/endless", "/drip", *[f"/{n}" for n in range(4)]]
    make(tmp_path / "d", [(server.url(path),) for path in paths])
    report = fetch(tmp_path / "d", retries=0, total_timeout=1.0)
    assert served(tmp_path / "d") == [None, None, *GOOD[:4]]
    assert report.failures == {"too many bytes": 1, "not finished in time": 1}
