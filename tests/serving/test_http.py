"""A real server driven over HTTP: its answers are the library's."""

import json
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from http_server import serving
from small_shop import shop

import cliper
from cliper.cli import main
from cliper.serving import Recommendation, Recommender


def train(out: Path, seed: int = 0) -> Path:
    cliper.fit(shop(), "bpr", seed=seed, out=out, training={"max_epochs": 2})
    return out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("http") / "run")


@pytest.fixture(scope="module")
def model(run: Path) -> Recommender:
    return Recommender.load(run)


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[httpx2.Client]:
    with serving(run, run.parent / "log.txt") as client:
        yield client


def as_json(rows: list[Recommendation]) -> list[dict[str, Any]]:
    return [
        {"item_id": row.item_id, "rank": row.rank, "score": row.score}
        | ({} if row.reasons is None else {"reasons": row.reasons.json_object()})
        for row in rows
    ]


def items(answer: httpx2.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"bpr-[0-9a-f]{12}", answer.json()["model"])
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


WHERES = (None, {"kind": ["bag", "hat"], "price": {"lt": 40}}, {"kind": "shoe"})


@pytest.mark.parametrize("where", WHERES)
@pytest.mark.parametrize("explain", [False, "history", True])
@pytest.mark.parametrize("exclude_seen", [True, False])
def test_recommendations_are_the_librarys(
    client: httpx2.Client, model: Recommender, where: Any, explain: Any, exclude_seen: bool
) -> None:
    asked = {"k": 7, "explain": explain, "exclude_seen": exclude_seen}
    filtered = {} if where is None else {"where": where}
    words = {key: json.dumps(value).strip('"') for key, value in {**asked, **filtered}.items()}
    answer = items(client.get("/v1/users/u5/recommendations", params=words))
    assert answer == as_json(model.recommend(["u5"], where=where, **asked))
    history = {"history": ["i30", "i4", "i12"], "candidates": [f"i{i}" for i in range(5, 55)]}
    answer = items(client.post("/v1/recommendations", json={**history, **asked, **filtered}))
    assert len(answer) == 7 and ("reasons" in answer[0]) == bool(explain)
    assert answer == as_json(model.recommend(where=where, **history, **asked))


@pytest.mark.parametrize("where", WHERES)
def test_similar_items_are_the_librarys(
    client: httpx2.Client, model: Recommender, where: Any
) -> None:
    words = {"k": "5"} if where is None else {"k": "5", "where": json.dumps(where)}
    answer = items(client.get("/v1/items/i3/similar", params=words))
    assert answer == as_json(model.similar_items(["i3"], 5, where=where))


def test_what_is_not_given_is_the_librarys_default(
    client: httpx2.Client, model: Recommender
) -> None:
    assert items(client.get("/v1/users/u0/recommendations")) == as_json(model.recommend(["u0"]))
    answer = items(client.post("/v1/recommendations", json={"history": []}))
    assert answer == as_json(model.recommend(history=[]))


def test_many_at_a_time(client: httpx2.Client, model: Recommender) -> None:
    users = [f"u{i % 40}" for i in range(120)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda u: client.get(f"/v1/users/{u}/recommendations"), users))
    for user, answer in zip(users, answers, strict=True):
        assert items(answer) == as_json(model.recommend([user]))


def test_health_model_and_metrics(client: httpx2.Client, run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    told = client.get("/v1/model").json()
    assert told["backbone"] == "bpr" and told["test"] == results["test"]
    assert (told["users"], told["items"], told["fields"]) == (40, 60, ["kind", "price"])
    assert client.get("/v1/health").json() == {"status": "ok"}
    assert client.get("/v1/ready").json() == {"status": "ready", "model": told["model"]}

    def count(text: str) -> float:
        name = r'cliper_http_requests_total{route="/v1/items/{item_id}/similar",status="404"} '
        found = [line for line in text.splitlines() if line.startswith(name)]
        return float(found[0].removeprefix(name)) if found else 0.0

    before = count(client.get("/metrics").text)
    for _ in range(3):
        assert client.get("/v1/items/nothing/similar").status_code == 404
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert count(answer.text) == before + 3
    assert "cliper_items 60.0" in answer.text.splitlines()
    assert "nothing" not in answer.text


def test_looking_around(client: httpx2.Client, model: Recommender) -> None:
    """A run that knows no content finds by words alone."""
    found = items(client.get("/v1/search", params={"q": "BAG", "k": 3}))
    assert [one["item_id"] for one in found] == ["i0", "i3", "i6"]
    only = {"q": "bag", "k": 60, "where": '{"price": {"lt": 20}}'}
    cheap = {one["item_id"] for one in items(client.get("/v1/search", params=only))}
    assert cheap == {f"i{i}" for i in range(60) if i % 3 == 0 and 5 + 7 * i % 100 < 20}
    assert items(client.get("/v1/search", params={"q": "nowhere"})) == []
    refused = client.post("/v1/search", content=b"x", headers={"content-type": "image/png"})
    assert refused.status_code == 422 and "not a JPEG" in refused.json()["detail"]
    assert client.post("/v1/search", json={}).status_code == 415
    assert client.get("/v1/users", params={"q": "3", "k": 3}).json() == {
        "users": ["u3", "u13", "u23"]
    }
    told = client.get("/v1/fields/kind").json()
    assert told == {
        "values": [{"value": v, "items": 20} for v in ("bag", "shoe", "hat")],
        "numbers": False,
    }
    assert client.get("/v1/fields/price").json()["numbers"] is True
    assert client.get("/v1/fields/knd").status_code == 422


def test_openapi_points_nowhere_outside_itself(client: httpx2.Client) -> None:
    whole = client.get("/openapi.json").json()
    open_values, pointers = [whole], set()
    while open_values:
        value = open_values.pop()
        if isinstance(value, dict) and isinstance(value.get("$ref"), str):
            pointers.add(value["$ref"])
        if isinstance(value, dict | list):
            open_values += value.values() if isinstance(value, dict) else value
    assert pointers
    for pointer in pointers:  # RFC 6901
        found = whole
        for part in pointer.removeprefix("#/").split("/"):
            found = found[part]


def test_openapi_names_the_end_points_and_their_errors(client: httpx2.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {(method, path) for path, of in paths.items() for method in of} == {
        ("get", "/v1/users/{user_id}/recommendations"),
        ("post", "/v1/recommendations"),
        ("get", "/v1/items/{item_id}/similar"),
        ("get", "/v1/items/{item_id}/picture"),
        ("get", "/v1/items/{item_id}"),
        ("put", "/v1/items/{item_id}"),
        ("delete", "/v1/items/{item_id}"),
        ("post", "/v1/items"),
        ("post", "/v1/events"),
        ("get", "/v1/search"),
        ("post", "/v1/search"),
        ("get", "/v1/users"),
        ("get", "/v1/fields/{name}"),
        ("get", "/v1/model"),
        ("post", "/v1/model/reload"),
        ("get", "/v1/health"),
        ("get", "/v1/ready"),
        ("get", "/metrics"),
    }
    asked = paths["/v1/recommendations"]["post"]
    body = asked["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["history"]
    assert set(body["properties"]) >= {"history", "k", "where", "candidates", "explain"}
    assert "application/problem+json" in asked["responses"]["422"]["content"]


JSON = {"content-type": "application/json"}
GOOD = {"history": ["i1"]}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "says"),
    [
        ("GET", "/v1/users/nobody/recommendations", {}, 404, "unknown user 'nobody'"),
        ("GET", "/v1/items/a%2Fb/similar", {}, 404, "unknown item 'a/b'"),
        ("GET", "/v1/nothing", {}, 404, "Not Found"),
        ("DELETE", "/v1/model", {}, 405, "Method Not Allowed"),
        ("GET", "/v1/items/i1/similar?k=0", {}, 422, "query.k: "),
        ("GET", "/v1/items/i1/similar?wher={}", {}, 422, "argument 'wher', did you mean 'where'"),
        ("GET", "/v1/users//recommendations", {}, 422, "at least 1 character"),
        ("GET", "/v1/items/i1/similar?k=1001", {}, 422, "k: at most 1000"),
        ("GET", "/v1/users/u1/recommendations?k=51&explain=1", {}, 422, "k: at most 50 with"),
        ("GET", "/v1/items/i1/similar?where=%7B", {}, 422, "query.where: Invalid JSON"),
        ("GET", '/v1/items/i1/similar?where={"knd":"bag"}', {}, 422, "no field 'knd'"),
        ("POST", "/v1/recommendations", {"json": {}}, 422, "body.history: Field required"),
        ("POST", "/v1/recommendations", {"json": {**GOOD, "kk": 3}}, 422, "body.kk: "),
        ("POST", "/v1/recommendations", {"json": {"history": ["?"]}}, 422, "unknown item '?'"),
        ("POST", "/v1/recommendations", {"json": {"history": ["i1"] * 1001}}, 422, "1000"),
        ("POST", "/v1/recommendations", {"content": b"{}"}, 415, "application/json"),
        ("POST", "/v1/recommendations", {"content": b" " * (1 << 21)}, 413, "1048576 bytes"),
    ],
)
def test_errors_are_problems(
    client: httpx2.Client, method: str, path: str, sent: dict[str, Any], status: int, says: str
) -> None:
    answer = client.request(method, path, **sent)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and says in told["detail"] and "\n" not in told["detail"]


def test_keys(run: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("first\n\n second \n")
    with serving(run, tmp_path / "log", run, "--api-key-file", tmp_path / "keys") as client:
        assert client.get("/other/v1/model").status_code == 401
        assert client.get("/other/v1/ready").status_code == 200  # the page asks for it
        for path in ("/v1/model", "/v1/users/u1/recommendations", "/metrics", "/openapi.json"):
            for wrong in ({}, {"Authorization": "Bearer third"}, {"Authorization": "first"}):
                answer = client.get(path, headers=wrong)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
            for key in ("first", "second"):
                given = {"Authorization": f"Bearer {key}"}
                assert client.get(path, headers=given).status_code == 200
        assert client.get("/v1/health").status_code == client.get("/v1/ready").status_code == 200
    assert "first" not in (tmp_path / "log").read_text()


def test_reloading_fails_no_request(run: Path, tmp_path: Path) -> None:
    served, new = tmp_path / "served", train(tmp_path / "new", seed=1)
    shutil.copytree(run, served)
    with serving(served, tmp_path / "log") as client:
        first = client.get("/v1/ready").json()["model"]
        before = items(client.get("/v1/users/u3/recommendations"))
        (served / "results.json").rename(tmp_path / "results.json")
        refused = client.post("/v1/model/reload")
        assert refused.status_code == 409 and str(tmp_path) not in refused.text
        assert items(client.get("/v1/users/u3/recommendations")) == before

        shutil.rmtree(served)
        shutil.copytree(new, served)
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(client.get, "/v1/users/u3/recommendations") for _ in range(100)]
            second = client.post("/v1/model/reload").json()["model"]
        assert second != first
        after = as_json(Recommender.load(new).recommend(["u3"]))
        assert after != before
        for answer in (future.result() for future in asked):
            name = answer.json()["model"]
            assert items(answer) == {first: before, second: after}[name]
        assert items(client.get("/v1/users/u3/recommendations")) == after


@pytest.mark.parametrize("options", [[], ["--max-rate", "nan"]])
def test_what_cannot_be_served_leaves_no_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert main(["serve", str(tmp_path / "nothing"), *options]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and ("nan is no number" if options else "not a finished") in told
    assert list(tmp_path.iterdir()) == []
