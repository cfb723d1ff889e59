"""`cliper prepare` for published data sets: what it prints, writes, fetches and refuses."""

import functools
import http.server
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cliper.data import Dataset
from generated.sources import write_amazon, write_microlens, write_movielens


@pytest.fixture(scope="module")
def baby(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("amazon")
    write_amazon(folder, 2014, "Baby", n_items=60, n_users=40, n_rows=800)
    return folder


@pytest.fixture(scope="module")
def sports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("amazon23")
    name = "Sports_and_Outdoors"
    write_amazon(folder, 2023, name, n_items=60, n_users=40, n_rows=800, log="ratings")
    return folder


@pytest.fixture
def served(baby: Path, sports: Path) -> Iterator[tuple[str, list[str]]]:
    """An address under which both folders lie as officially, and what was asked for."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if "/2014/" in self.path:
                self.directory, self.path = str(baby), self.path.removeprefix("/2014")
            else:
                self.directory, self.path = str(sports), self.path.removeprefix("/2023")
            super().do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(baby))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_amazon_says_what_it_kept_and_what_differs(cliper, baby, tmp_path):
    out = tmp_path / "baby"
    arguments = ["prepare", "amazon", "--year", 2014, "--category", "baby", "--source", baby]
    told = cliper(*arguments, "--out", out)
    assert told.status == 0, told.err
    assert "note: the paper's Table 1 says for Amazon-Baby: 19,445 users" in told.out
    assert "reading meta_Baby.json.gz" in told.err
    assert "kB" in told.err
    answer = cliper(*arguments, "--out", out, "--json")
    assert answer.json["table_1"]["found"] == answer.json["counts"]
    assert not answer.json["table_1"]["agrees"]
    assert answer.json["options"]["category"] == "Baby"
    rows = {(r["group"], r["what"]): r["count"] for r in answer.json["summary"]}
    assert rows["kept", "items"] == answer.json["counts"]["items"] > 0
    catalogue = Dataset.load(out).catalogue
    assert catalogue is not None
    assert catalogue.image_urls is not None


def test_amazon_from_an_address_is_fetched_once(cliper, baby, sports, served, tmp_path):
    address, asked = served
    for year, category, folder in (("2014", "Baby", baby), ("2023", "sports", sports)):
        asked.clear()
        arguments = ["prepare", "amazon", "--year", year, "--category", category]
        local = cliper(*arguments, "--source", folder, "--out", tmp_path / "local", "--json")
        fetched = [*arguments, "--source", f"{address}/{year}/", "--out", tmp_path / "far"]
        answer = cliper(*fetched, "--json")
        assert answer.status == 0, answer.err
        assert answer.json["hash"] == local.json["hash"]
        assert "fetching meta_" in answer.err
        assert (tmp_path / "downloads").is_dir()
        n_asked = len(asked)
        assert n_asked >= 3  # the 5-core that is not there, at each place it might be, as well
        assert cliper(*fetched).status == 0
        assert not [path for path in asked[n_asked:] if "meta_" in path]
        kept = cliper(
            *arguments, "--source", tmp_path / "downloads", "--out", tmp_path / "kept", "--json"
        )
        assert kept.json["hash"] == local.json["hash"]


def test_amazon_refuses_large_files_before_fetching(cliper, served, tmp_path):
    address, _ = served
    arguments = ["prepare", "amazon", "--year", 2014, "--category", "baby", "--source"]
    answer = cliper(*arguments, f"{address}/2014", "--out", tmp_path / "o", "--max-download", 1e-6)
    assert answer.status == 2
    assert "more than 1,073 bytes (raise --max-download)" in answer.err
    assert not (tmp_path / "o").exists()


def test_movielens_and_microlens(cliper, tmp_path):
    write_movielens(tmp_path / "ml", "1m", n_films=50, n_users=40, n_ratings=800)
    write_microlens(tmp_path / "micro", n_videos=50, n_users=40, n_pairs=800)
    for source, options in (("movielens", ["--min-rating", 2]), ("microlens", [])):
        folder = tmp_path / ("ml" if source == "movielens" else "micro")
        out = tmp_path / source
        arguments = ["prepare", source, "--source", folder, "--out", out, *options]
        answer = cliper(*arguments, "--json")
        assert answer.status == 0, answer.err
        assert answer.json["name"] == source
        assert answer.json["counts"]["interactions"] == len(Dataset.load(out).interactions) > 100
        assert "kept" in cliper(*arguments, "--name", "films").out


REFUSED = [
    (["amazon", "--year", "2014", "--category", "babby"], "did you mean 'Baby'?"),
    (["amazon", "--year", "2016", "--category", "Baby"], "2016"),
    (
        ["amazon", "--year", "2018", "--category", "books"],
        "no metadata of Books (meta_Books.json.gz",
    ),
    (["amazon", "--year", "2014", "--category", "Baby", "--log", "5core"], "5core"),
    (["movielens"], "neither MovieLens 100k nor 1M"),
    (["microlens"], "no pairs"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=lambda v: " ".join(v)[:40])
def test_mistakes_are_one_line(cliper, baby, tmp_path, arguments, said):
    answer = cliper("prepare", *arguments, "--source", baby, "--out", tmp_path / "o")
    assert (answer.status, answer.err.count("\n"), answer.out) == (2, 1, ""), answer.err
    assert said in answer.err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("source", ["files", "mmrec", "amazon", "movielens", "microlens"])
def test_each_source_shows_an_example(cliper, source):
    answer = cliper("prepare", source, "--help")
    assert answer.status == 0
    assert f"cliper prepare {source}" in answer.out.split("Example", 1)[1]


def test_sql_by_an_address_in_the_environment(cliper, tmp_path, monkeypatch):
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.execute("CREATE TABLE orders (customer TEXT, sku INTEGER)")
    pairs = [(f"c{c}", c * s % 7) for c in range(5) for s in range(4)]
    connection.executemany("INSERT INTO orders VALUES (?, ?)", pairs)
    connection.commit()
    connection.close()
    monkeypatch.setenv("CLIPER_DATABASE", f"sqlite:///{tmp_path / 'shop.db'}")
    query = ("--interactions", "SELECT * FROM orders", "--k-core", 0)
    answer = cliper("prepare", "sql", *query, "--out", tmp_path / "d", "--json")
    assert answer.status == 0, answer.err
    assert answer.json["counts"]["interactions"] == len(set(pairs))
    refused = cliper("prepare", "sql", "--interactions", "SELECT *", "--out", tmp_path / "e")
    assert refused.status == 2
    assert "the query of interactions: the database says:" in refused.err
