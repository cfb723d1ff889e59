"""`cliper images`: what it prints, how it ends, and what its help promises."""

import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "data" / "fetch"))
from bad_server import Server, picture, serving, whole

from cliper import __version__
from cliper.data.fetch import FetchSettings


@pytest.fixture
def shop(tmp_path, cliper):
    with serving() as server:
        server.answers = {f"/{n}": whole(picture(n)) for n in range(3)}
        rows = [
            {"item_id": f"i{n}", "title": f"Thing {n}", "image": server.url(f"/{n}")}
            for n in range(4)
        ]
        (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        log = "user_id,item_id\n" + "".join(f"u,i{n}\n" for n in range(4))
        (tmp_path / "log.csv").write_text(log)
        out = tmp_path / "shop"
        answer = cliper(
            "prepare", "files", "--items", tmp_path / "items.jsonl", "--interactions",
            tmp_path / "log.csv", "--k-core", 0, "--out", out,
        )  # fmt: skip
        assert "to be fetched by `cliper images`" in answer.out
        yield server, out


def test_images_as_json_and_as_a_table(shop: tuple[Server, Path], cliper):
    _, out = shop
    answer = cliper("images", out, "--allow-host", "127.0.0.1", "--rate", 1000, "--json")
    assert answer.status == 0, answer.err
    told = answer.json
    assert (told["with_addresses"], told["fetched"], told["without_image"]) == (4, 3, 1)
    assert told["failures"] == {"HTTP 404 Not Found": 1}
    assert Path(told["failures_file"]).is_file()
    assert told["hash"] == json.loads((out / "dataset.json").read_text())["hash"]
    table = cliper("images", out, "--allow-host", "127.0.0.1")
    assert re.search(r"failed: HTTP 404 Not Found +1\n", table.out)
    assert "failures.csv" in table.err
    encoded = cliper("encode", out, "--views", "title", "--json")
    assert encoded.status == 0, encoded.err
    assert encoded.json["missing_images"] == 1


def test_who_asks(shop: tuple[Server, Path], cliper):
    server, out = shop
    cliper("images", out, "--allow-host", "127.0.0.1", "--rate", 1000)
    cliper("images", out, "--allow-host", "127.0.0.1", "--user-agent", "a/1", "--retry-failed")
    assert [h["user-agent"] for h in server.headers] == [f"cliper/{__version__}"] * 4 + ["a/1"]


def test_hosts_on_this_machine_are_refused_unless_named(shop: tuple[Server, Path], cliper):
    server, out = shop
    answer = cliper("images", out, "--json")
    assert answer.status == 0
    assert answer.json["failures"] == {"refused: not a public address": 4}
    assert server.connections == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rate", "0"], "images.rate"),
        (["--max-bytes", "0"], "images.max_bytes"),
        (["--per-host", "1000"], "images.per_host"),
        (["--allow-host", "http://x.org"], "images.allowed_hosts"),
        (["--rates", "1"], "no option '--rates' (did you mean '--rate'?)"),
    ],
)
def test_bad_options(shop: tuple[Server, Path], cliper, arguments, complaint):
    answer = cliper("images", shop[1], *arguments)
    assert answer.status == 2
    assert complaint in answer.err
    assert answer.err.count("\n") == 1


def test_a_dataset_without_addresses(cliper, dataset):
    answer = cliper("images", dataset)
    assert answer.status == 2
    assert "names no addresses of pictures" in answer.err


def test_the_help_names_the_defaults(cliper):
    told = cliper("images", "--help").out
    settings = FetchSettings()
    for option, value in (
        ("--concurrency", settings.concurrency),
        ("--per-host", settings.per_host),
        ("--rate", settings.rate),
        ("--retries", settings.retries),
        ("--timeout", settings.total_timeout),
        ("--max-bytes", settings.max_bytes),
    ):
        assert re.search(rf"{option} [^\[]*\[{value:.0f}\]", told), option
