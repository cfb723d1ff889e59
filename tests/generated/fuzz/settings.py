"""Settings, options, filters, answers of language models and servers, requests."""

import asyncio
import datetime
import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from cliper.augment.answers import read_attributes, read_feedback, read_profile
from cliper.augment.journal import Journal
from cliper.cli.compare import parse_grid, parse_own
from cliper.cli.ids import read_ids
from cliper.data.fetch.coding import Decoder
from cliper.data.fetch.download import parse_address
from cliper.data.fetch.outcome import FetchError
from cliper.data.fetch.public import why_not_public
from cliper.data.fetch.retry import retry_after
from cliper.data.fetch.sniff import begins_like, looks_like
from cliper.data.fetch.store import PictureStore
from cliper.data.readers.columns import parse_columns
from cliper.data.readers.html import clean_text
from cliper.data.readers.times import read_times
from cliper.data.readers.values import to_numbers
from cliper.encoders.hub import parse_repository
from cliper.errors import CliperError
from cliper.experiments.pipeline import Pipeline
from cliper.experiments.run.config import ExperimentConfig, load_experiment
from cliper.experiments.search.space import parse_space
from cliper.serving.http.server import read_keys
from cliper.serving.where import Fields
from cliper.strict_yaml import assign, read_yaml, write_yaml
from generated.fuzz.reader import Reader, of_text, reader

EXPERIMENT = b"""\
dataset: {path: data/shop}
views: {include: [title, brand], templates: {title: 'The title is {}.'}}
encoder: {name: embedded}
features: {kind: cliper}
fusion: {kind: attention, temperature: 0.1}
split: {kind: random, seed: 0}
backbone: {name: freedom, embedding_size: 64, n_layers: 2}
training: {batch_size: 2048, learning_rate: 1e-3, weight_decay: 0, max_epochs: 10, seed: 0}
evaluation: {mask: train, k: [10, 20]}
"""
PIPELINE = b"""\
dataset: {path: data/shop}
prepare: {files: {items: items.csv, interactions: log.csv, k_core: 5}}
images: {user_agent: me}
backbone: {name: vbpr}
features: &f {kind: cliper}
compare:
  backbones: [vbpr, freedom]
  features: [vanilla, cliper]
  seeds: 2
  grid: {training.learning_rate: [1e-3, 1e-4]}
studies:
  kinds: [views, temperature]
search: {space: {training.learning_rate: 1e-4..1e-2:log}, trials: 3}
report: true
processes: 2
"""


def settings_readers() -> list[Reader]:
    """Of YAML, options and filters."""
    return [
        reader(
            "yaml",
            {"any.yaml": EXPERIMENT + b"list: &a [1, 1e-3, yes, ~]\nagain: *a\n"},
            of_text(_yaml),
            share=0.5,
        ),
        reader(
            "experiment",
            {"experiment.yaml": EXPERIMENT},
            lambda path: ExperimentConfig.build(load_experiment(path)).resolved(),
            share=0.5,
        ),
        reader(
            "pipeline",
            {"pipeline.yaml": PIPELINE},
            lambda path: Pipeline.build(load_experiment(path)),
            share=0.5,
        ),
        reader(
            "options",
            {
                "columns": b"user=uid,item=sku,rating=stars",
                "space": b"training.learning_rate=1e-4..1e-2:log",
                "space-choice": b"backbone.n_layers=1,2,3",
                "set": b"evaluation.k=[10, 20]",
                "grid": b"training.learning_rate=1e-3,1e-4",
                "set-for": b"freedom:backbone.neighbours=20",
                "repository": b"openai/clip-vit-base-patch32@main",
            },
            _option,
        ),
        reader(
            "where",
            {
                "where.json": b'{"kind": ["bag", "shoe"], "price": {"lt": 50, "ge": 1}, '
                b'"size": {"in": [1, "2"], "not_in": ["x"]}}'
            },
            _where(),
        ),
        reader("ids-file", {"ids.txt": b"i1\ni2\n\ni3\n"}, read_ids),
        reader("keys-file", {"keys.txt": b"secret one\nsecret two\n"}, read_keys),
        reader(
            "values",
            {
                "times": b"881250949\n1.5\n2020-01-02T03:04:05.25+01:00\n1e3\n",
                "numbers": b"4\n3.5\n-1e3\n+7\n",
                "html": b"a <b>bold</b> &amp; &#39;x&#39; <!-- c --> &eacute;<br/>",
            },
            _value,
        ),
    ]


def answer_readers() -> list[Reader]:
    """Of what language models and servers answer, and the journals that keep it."""
    known = {"answers.jsonl": b'{"key": "a", "answer": "3::7"}\n{"key": "b", "answer": "x"}\n'}
    journal = (
        b'{"url": "http://h/1.jpg", "file": "0123456789abcdef0123456789abcdef.jpg", "size": 1}\n'
        b'{"url": "http://h/2.jpg", "cause": "no-picture", "detail": "d", "status": 200, '
        b'"again": "never"}\n'
    )
    return [
        reader(
            "model-answers",
            {
                "feedback": b" 3::7\nbecause",
                "attributes": b"Director: K\n- x: y",
                "profile": b"Likes quiet films,\nnot loud ones.",
            },
            _answer,
        ),
        reader("answers-journal", known, lambda path: Journal(path).answers, writes=True),
        reader("fetch-journal", {"fetched/journal.jsonl": journal}, _fetched, writes=True),
        reader(
            "http-answers",
            {
                "retry-after": b"Wed, 21 Oct 2015 07:28:30 GMT",
                "gzip": gzip.compress(b"x" * 300, mtime=0),
                "body": b"<html><body>x</body></html>",
                "address": b"https://example.org/a%20b.jpg?x=1#f",
            },
            _http_answer,
            refuses=(CliperError, FetchError),
        ),
    ]


REQUESTS = {
    "question": b'POST /v1/recommendations\n{"history": ["i1", "i2"], "k": 5, '
    b'"exclude_seen": true, '
    b'"candidates": ["i3", "i4"], "where": {"kind": ["bag"], "title": {"not_in": ["x", 1]}}, '
    b'"explain": "history"}',
    "user": b'GET /v1/users/u1/recommendations?k=3&exclude_seen=false&where={"kind":"bag"}\n',
    "similar": b"GET /v1/items/i1/similar?k=3\n",
    "events": b'POST /v1/events\n[{"user_id": "u1", "item_id": "i1", "timestamp": 1.5}]',
    "items": b'POST /v1/items\n[{"item_id": "n1", "fields": {"title": "A red bag", '
    b'"kind": "bag"}}]',
    "item": b'PUT /v1/items/i1\n{"fields": {"kind": "bag"}, "picture": null}',
    "search": b"GET /v1/search?q=bag&k=3\n",
    "values": b"GET /v1/fields/kind\n",
    "remove": b"DELETE /v1/items/i5\n",
}


def request_reader(run: Mapping[str, bytes], dataset: Mapping[str, bytes]) -> Reader:
    """Requests to `cliper serve`, in this process: an error of the server is a finding."""
    beside = {f"run/{name}": data for name, data in run.items()}
    beside |= {f"data/{name}": data for name, data in dataset.items()}
    return Reader("requests", beside | REQUESTS, _server, fixed=tuple(beside), share=0.5)


def _server(folder: Path) -> Callable[[Path], object]:
    from cliper.serving.http.application import application
    from cliper.serving.http.limits import Limits
    from cliper.serving.http.shop import Shop
    from cliper.serving.store import Store

    for old in folder.glob("store.sqlite*"):
        old.unlink()
    config = folder / "run" / "config.yaml"
    tree = read_yaml(config.read_text("utf-8"), "config.yaml")
    tree["dataset"]["path"] = str(folder / "data")
    config.write_text(write_yaml(tree), "utf-8")
    app = application(Shop(folder / "run", Store(f"sqlite:///{folder}/store.sqlite")), Limits())

    def read(path: Path) -> object:
        line, _, body = path.read_bytes().partition(b"\n")
        method, _, address = line.partition(b" ")
        return asyncio.run(_asked(app, method.decode("latin-1"), address, body))

    return read


async def _asked(app: Any, method: str, address: bytes, body: bytes) -> int:
    where, _, query = address.partition(b"?")
    raw = bytes(byte for byte in where if 32 < byte < 127) or b"/"  # as the server's parser lets by
    statuses: list[int] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": raw.decode(),
        "raw_path": raw,
        "query_string": query,
        "root_path": "",
        "headers": [(b"content-type", b"application/json"), (b"host", b"h")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent = False

    async def receive() -> dict[str, Any]:
        nonlocal sent
        if sent:
            await asyncio.sleep(3600)
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    if statuses[-1] >= 500:
        raise RuntimeError(f"status {statuses[-1]}")
    if statuses[-1] >= 400:
        raise CliperError(f"status {statuses[-1]}")
    return statuses[-1]


def _yaml(text: str) -> object:
    tree = read_yaml(text, "here")
    try:
        plain = json.dumps(tree, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError):
        return None
    again = json.dumps(read_yaml(write_yaml(tree), "again"), sort_keys=True)
    if again != plain:
        raise AssertionError("not the same after writing and reading")
    return tree


def _option(path: Path) -> object:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    kinds: dict[str, Callable[[str], object]] = {
        "columns": lambda t: parse_columns(t, "--columns"),
        "space": lambda t: parse_space([t], "freedom"),
        "space-choice": lambda t: parse_space([t], "freedom"),
        "set": lambda t: assign({"evaluation": {}}, [t]),
        "grid": lambda t: parse_grid([t]),
        "set-for": lambda t: parse_own([t]),
        "repository": parse_repository,
    }
    return kinds[path.name](text)


def _where() -> Callable[[Path], object]:
    columns = {
        "kind": ["bag", "shoe", None, "hat"],
        "price": ["9.5", "x", "1e3", None],
        "size": pa.array([["1", "2"], [], None, ["x"]], pa.list_(pa.string())),
    }
    fields = Fields(pa.table(columns))

    def read(path: Path) -> object:
        try:
            where: Any = TypeAdapter(Any).validate_json(path.read_bytes())
        except ValidationError:
            raise CliperError("no JSON") from None
        if isinstance(where, str):
            return fields.words(where)
        return fields.mask(where)

    return read


def _value(path: Path) -> object:
    texts = path.read_bytes().decode("utf-8", "replace")
    if path.name == "html":
        return clean_text(texts)
    return (read_times if path.name == "times" else to_numbers)(texts.split("\n"))


def _answer(path: Path) -> object:
    text = path.read_bytes().decode("utf-8", "replace")
    if path.name == "feedback":
        return read_feedback(text, 10)
    return read_attributes(text, ["director"]) if path.name == "attributes" else read_profile(text)


def _fetched(path: Path) -> object:
    with PictureStore(path.parent).opened() as store:
        return store.known()


def _http_answer(path: Path) -> object:
    data = path.read_bytes()
    text = data.decode("latin-1")
    if path.name == "retry-after":
        return retry_after(text, datetime.datetime.now(datetime.UTC))
    if path.name == "gzip":
        decoder = Decoder("gzip")
        out = decoder.feed(data, 10_000)
        decoder.end()
        return out
    if path.name == "address":
        return parse_address(text), why_not_public(text)
    return begins_like(data), looks_like(data, "text/html")
