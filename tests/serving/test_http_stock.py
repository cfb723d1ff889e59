"""Events and items over HTTP: used at once, the same everywhere, and never lost."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from http_server import Server, serving
from pictured_shop import COLD, pictured_shop

import cliper
from cliper.data import Dataset
from cliper.serving import Recommender
from cliper.serving.store import Store
from generated.postgres import postgres


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return pictured_shop(tmp_path_factory.mktemp("shop") / "dataset")


SOON = 200
"""Two seconds once the encoder is loaded, which takes a busy machine a while."""


@pytest.fixture(scope="module")
def in_postgres() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def run(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stock") / "run"
    quick = {"max_epochs": 2, "batch_size": 64}
    cliper.fit(dataset, "vbpr", cliper.represent(dataset), out=out, training=quick)
    return out


def best(client: httpx2.Client, user: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/users/{user}/recommendations", params={"k": 50, **params})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def rows(model: Recommender, **asked: Any) -> list[dict[str, Any]]:
    found = model.recommend(k=50, **asked)
    return [{"item_id": r.item_id, "rank": r.rank, "score": r.score} for r in found]


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> bool:
    """The same items, and scores but for the last bits: products of other shapes."""
    scores = [one["score"] for one in expected]
    assert [one["score"] for one in found] == pytest.approx(scores, abs=1e-6)
    return [one["item_id"] for one in found] == [one["item_id"] for one in expected]


def within(seconds: float, true: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not (now := true()) and time.monotonic() < until:
        time.sleep(0.05)
    return now


def test_events_fold_into_recommendations(run: Path, tmp_path: Path) -> None:
    model = Recommender.load(run)
    taken = model.history_of("u1")
    new = [f"i{i}" for i in range(14) if f"i{i}" not in taken][:2]
    with serving(run, tmp_path / "log", "--store", tmp_path / "s.sqlite") as client:
        assert client.get("/v1/users/visitor/recommendations").status_code == 404
        told = [
            {"user_id": "visitor", "item_id": "i5", "timestamp": 20},
            {"user_id": "visitor", "item_id": "i3", "timestamp": 10},
            {"user_id": "visitor", "item_id": "never heard of"},
            {"user_id": "u1", "item_id": taken[0]},
        ]
        answer = client.post("/v1/events", json=told)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 4, "known": 0})
        assert client.post("/v1/events", json=told[:2]).json() == {"accepted": 2, "known": 2}
        assert same(best(client, "visitor"), rows(model, history=["i3", "i5"]))
        # nothing that the training lacked: the trained vector
        assert same(best(client, "u1"), rows(model, users=["u1"]))
        client.post("/v1/events", json=[{"user_id": "u1", "item_id": item} for item in new])
        assert same(best(client, "u1"), rows(model, history=[*taken, *new]))
    with serving(run, tmp_path / "log", "--store", tmp_path / "s.sqlite") as client:
        assert same(best(client, "visitor"), rows(model, history=["i3", "i5"]))


def test_items_come_change_and_go(
    run: Path, dataset: Dataset, in_postgres: str, tmp_path: Path
) -> None:
    """As the library has them; in another process soon; after a restart."""
    model = Recommender.load(run)
    assert dataset.catalogue is not None
    path = dataset.catalogue.image_paths()[COLD]
    assert path is not None
    fields = {name: dataset.catalogue.values(name)[COLD] for name in ("title", "colour")}
    model.add_items([{"item_id": "new/1", **fields, "image": path}])
    picture = base64.b64encode(path.read_bytes()).decode()
    expected = rows(model, users=["u1"])
    options = (run, tmp_path / "log", "--store", in_postgres)
    with serving(*options) as client, serving(*options) as other:
        one = {"item_id": "new/1", "fields": fields, "picture": picture}
        answer = client.post("/v1/items", json=one)
        where = "/v1/items/new%2F1"
        shown = {"item_id": "new/1", "fields": fields, "picture": f"{where}/picture"}
        assert (answer.status_code, answer.json()) == (201, [shown])
        assert same(best(client, "u1"), expected)
        assert within(SOON, lambda: other.get(where).status_code == 200)
        assert same(best(other, "u1"), expected)
        for one_of in (client, other):
            got = one_of.get(f"{where}/picture")
            assert (got.content, got.headers["content-type"]) == (path.read_bytes(), "image/png")
            refused = one_of.post("/v1/items", json=[{"item_id": "fine"}, one])
            assert refused.status_code == 409 and "'new/1' is there" in refused.text
            assert one_of.get("/v1/items/fine").status_code == 404

        assert other.delete("/v1/items/i3").status_code == 204
        assert other.delete("/v1/items/i3").status_code == 404
        changed = {"fields": {"title": "a violet thing", "colour": "violet"}}
        assert other.put(where, json=changed).json()["fields"]["colour"] == ["violet"]
        assert other.put("/v1/items/i4", json=changed).status_code == 200
        violet = {"where": '{"colour": "violet"}', "exclude_seen": False}
        assert within(SOON, lambda: len(best(client, "u1", **violet)) == 2)
        after = best(client, "u1", exclude_seen=False)
        assert "i3" not in {item["item_id"] for item in after}
        assert same(best(other, "u1", exclude_seen=False), after)
        assert client.get("/v1/items/i4/picture").status_code == 200
        assert client.get(f"{where}/picture").status_code == 404
        assert client.get("/v1/model").json()["items"] == 14
        assert client.post("/v1/model/reload").status_code == 200
        assert same(best(client, "u1", exclude_seen=False), after)
    with serving(*options) as again:
        assert same(best(again, "u1", exclude_seen=False), after)


def test_a_dataset_that_is_gone_is_not_told_the_place_of(
    dataset: Dataset, run: Path, tmp_path: Path
) -> None:
    assert dataset.path is not None
    away = dataset.path.with_name("away")
    with serving(run, tmp_path / "log", "--store", tmp_path / "s.sqlite") as client:
        assert client.put("/v1/items/new", json={}).status_code == 200
        dataset.path.rename(away)
        try:
            assert client.post("/v1/model/reload").status_code == 200
            refused = client.put("/v1/items/new", json={})
        finally:
            away.rename(dataset.path)
        assert refused.status_code == 422
        assert refused.json()["detail"].startswith("dataset: not a dataset directory")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "/v1/items", {"item_id": "n", "fields": {"titel": "x"}}, 422, "field 'titel'"),
        ("POST", "/v1/items", {"item_id": "n", "fields": {"image": "x"}}, 422, "'image' is no"),
        ("POST", "/v1/items", {"item_id": "n", "picture": "AAAA"}, 422, "picture of 'n': not a"),
        ("POST", "/v1/items", {"item_id": "n", "picture": "A" * 4000}, 413, "more than 2000 bytes"),
        ("POST", "/v1/items", [{"item_id": "n"}] * 2, 422, "'n' occurs twice"),
        ("POST", "/v1/items", {"item_id": "a\0b"}, 422, "item_id"),
        ("POST", "/v1/items", [], 422, "at least 1"),
        ("POST", "/v1/items", [{"item_id": 7}], 422, "body.0.item_id: "),
        ("POST", "/v1/items", {"item_id": "n", "fields": {"title": {}}}, 422, "title: not a text"),
        ("PUT", "/v1/items/i1", {"fields": {"title": 1e305}}, 422, "title"),
        ("DELETE", "/v1/items/nothing", None, 404, "unknown item 'nothing'"),
        ("POST", "/v1/events", [{"user_id": "u", "item_id": "i", "timestamp": -1}], 422, "0"),
        ("POST", "/v1/events", [{"user_id": "u", "item_id": 7}], 422, "0.item_id"),
        ("POST", "/v1/events", {"user_id": "u", "item_id": "i"}, 422, "array"),
    ],
)
def test_what_is_refused_is_not_kept(
    refusing: Server, method: str, path: str, body: Any, status: int, says: str
) -> None:
    answer = refusing.client.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"] + str(answer.json().get("errors"))
    assert refusing.client.get("/v1/items/n").status_code == 404
    kept = Store(f"sqlite:///{refusing.store}")
    assert kept.changes(0, 1) == [] and kept.count_events() == 0


@pytest.fixture(scope="module")
def refusing(run: Path) -> Iterator[Server]:
    store = run.parent / "refusing.sqlite"
    server = Server(run, run.parent / "log", "--store", store, "--max-picture", 2000)
    server.store = store
    yield server
    server.end()


def test_ids_that_end_as_addresses_do(run: Path, tmp_path: Path) -> None:
    """An escaped slash belongs to the id, one that is not may be the address's."""
    names = ["a", "a/similar", "a/picture", "a%2Fb", "a/b", "similar", "é/ü"]
    with serving(run, tmp_path / "log", run, "--store", tmp_path / "s.sqlite") as client:
        new = [
            {"item_id": name, "fields": {"title": f"it is {at}"}} for at, name in enumerate(names)
        ]
        assert client.post("/v1/items", json=new).status_code == 201
        for at, name in enumerate(names):
            where = f"/v1/items/{quote(name, safe='')}"
            assert client.get(where).json()["fields"]["title"] == f"it is {at}"
            assert client.get(f"{where}/similar").status_code == 200
            assert "no picture of" in client.get(f"{where}/picture").text
        assert client.get("/v1/items/a/similar").json()["items"]
        assert client.get("/v1/items/a/b").json()["item_id"] == "a/b"
        assert client.delete("/v1/items/a%2Fsimilar").status_code == 204
        assert client.get("/v1/items/a").status_code == 200
        assert client.get("/v1/items/i1/picture").status_code == 200
        assert client.delete("/v1/items/i1").status_code == 204
        assert client.get("/v1/items/i1/picture").status_code == 404
        shown = client.get("/other/v1/items/i2").json()["picture"]
        assert shown == "/other/v1/items/i2/picture" and client.get(shown).status_code == 200
        big = client.post("/other/v1/items", json={"item_id": "p", "picture": "A" * (2 << 20)})
        assert "not a JPEG" in big.json()["detail"]
        assert client.get("/v1/search?q=red").status_code == 200
    assert "encoding" not in (tmp_path / "log").read_text("utf-8")


def test_nothing_acknowledged_is_lost_by_kill_9(run: Path, tmp_path: Path) -> None:
    """Two rounds; `benchmarks/serving.py` does fifty."""
    store = tmp_path / "store.sqlite"
    events: list[str] = []
    items: list[str] = []
    for number in range(2):
        server = Server(run, tmp_path / "log", "--store", store)

        def tell(writer: int, number: int = number, address: str = server.address) -> None:
            with httpx2.Client(base_url=address, timeout=200) as client:
                for at in range(100_000):
                    name = f"{number}-{writer}-{at}"
                    if writer:
                        kept, one = events, [{"user_id": name, "item_id": "i1"}]
                        path = "/v1/events"
                    else:
                        kept, path = items, "/v1/items"
                        one = [{"item_id": name, "fields": {"title": "red"}}]
                    try:
                        answer = client.post(path, json=one)
                    except httpx2.TransportError:
                        return
                    assert answer.status_code in (201, 202), answer.text
                    kept.append(name)

        threads = [threading.Thread(target=tell, args=(writer,)) for writer in range(3)]
        for thread in threads:
            thread.start()
        least = len(events) + 30, len(items) + 1
        assert within(200, lambda w=least: len(events) >= w[0] and len(items) >= w[1])  # type: ignore[misc]
        server.end(kill=True)
        for thread in threads:
            thread.join()
    with serving(run, tmp_path / "log", "--store", store) as client:
        for name in items:
            assert client.get(f"/v1/items/{name}").status_code == 200, name
        kept = Store(f"sqlite:///{store}")
        assert [name for name in events if kept.history(name, 1) != ["i1"]] == []
        found = best(client, events[0], k=1000)
        assert set(items) <= {item["item_id"] for item in found}
