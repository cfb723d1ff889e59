"""`cliper serve` under load, killed, and asked for nonsense: results/serving.md.

    python benchmarks/serving.py --out results/serving.md [--run RUN] [--kills 50] [--mixed 1800]

A real server of its own on this machine, asked over HTTP by threads of this process, which share
its cores. RUN is a run whose model takes items; without one the demo's shop is made and trained.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import torch

import cliper
from cliper.data import Catalogue, Dataset, Interactions, Vocabulary
from cliper.data.prepare import prepare_files
from cliper.demo.shop import generate_shop
from cliper.runs import RunDirectory
from cliper.scoring import FactorScorer
from cliper.serving import Recommender
from cliper.serving.store import Store

MILLION, USERS, WIDTH = 1_000_000, 10_000, 64
JSON = {"Content-Type": "application/json"}
START = "import sys; from cliper.cli import main; sys.exit(main(sys.argv[1:]))"


class Server:
    """`cliper serve` on a free port, with its log."""

    def __init__(self, run: Path, store: Path, log: Path) -> None:
        command = [sys.executable, "-c", START, "serve", run, "--port", "0", "--store", store]
        before, begun = (log.stat().st_size if log.exists() else 0), time.perf_counter()
        with log.open("ab") as said:
            self.process = subprocess.Popen([*map(str, command)], stdout=said, stderr=said)
        told = ""
        while " on http" not in told:
            assert self.process.poll() is None, told
            time.sleep(0.01)
            told = log.read_bytes()[before:].decode()
        self.ready = time.perf_counter() - begun
        self.port = int(told.rpartition(":")[2])

    def memory(self) -> tuple[float, float]:
        """MiB that it holds, and how many of them are pages of files.

        Those of weights come when a word is first met, and the system takes them back at need.
        """
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        size = os.sysconf("SC_PAGE_SIZE") / 2**20
        return int(pages[1]) * size, int(pages[2]) * size

    def computing(self) -> float:
        """Seconds of a core that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def calm(self) -> None:
        """Wait until what it loads after it is ready (the encoder of new items) is there."""
        before = -1.0
        while self.computing() - before > 0.1:
            before = self.computing()
            time.sleep(1)

    def end(self, kill: bool = False) -> None:
        self.process.kill() if kill else self.process.terminate()
        self.process.wait()


class Client:
    """One connection."""

    def __init__(self, server: Server) -> None:
        self._wire = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        return self.raw(method, path, data, JSON if data is not None else {})

    def raw(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        self._wire.request(method, path, data, headers)
        answer = self._wire.getresponse()
        told = answer.read()
        if answer.will_close:
            self._wire.close()
        return answer.status, told


def in_threads(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def rate(server: Server, users: list[str], count: int, at_once: int) -> tuple[float, np.ndarray]:
    """Requests a second for recommendations, and each one's seconds."""
    taken: list[float] = []

    def work(number: int) -> None:
        client, draw = Client(server), random.Random(number)
        for _ in range(count // at_once):
            start = time.perf_counter()
            user = quote(draw.choice(users), safe="")
            status, told = client.ask("GET", f"/v1/users/{user}/recommendations?k=10")
            taken.append(time.perf_counter() - start)
            assert status == 200, told

    start = time.perf_counter()
    in_threads(at_once, work)
    return len(taken) / (time.perf_counter() - start), np.array(taken)


def milliseconds(taken: np.ndarray) -> str:
    p50, p99 = np.quantile(taken, [0.5, 0.99]) * 1000
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def demo(folder: Path) -> Path:
    generate_shop(folder / "shop")
    shop = folder / "shop"
    prepare_files(
        shop / "items.jsonl", shop / "interactions.csv", shop, folder / "data",
        k_core=5, keep_unbought=True, name="Demo shop",
    )  # fmt: skip
    dataset = Dataset.load(folder / "data")
    features = cliper.represent(dataset)
    cliper.fit(dataset, "vbpr", features, out=folder / "run", training={"max_epochs": 8})
    return folder / "run"


def million(out: Path, n_users: int = USERS, each: int = 20) -> FactorScorer:
    """A run of a million items, vectors around 2,000 centres with lengths of a long tail."""
    rng = np.random.default_rng(0)
    few = Interactions(
        Vocabulary(["a", "b"]), Vocabulary(["x", "y", "z"]),
        np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2]),
    )  # fmt: skip
    cliper.fit(Dataset("few", few, None), "bpr", out=out, training={"max_epochs": 1})
    centres = rng.normal(size=(2000, WIDTH)).astype(np.float32)

    def around(count: int) -> np.ndarray:
        noise = rng.normal(size=(count, WIDTH)).astype(np.float32)
        return centres[rng.integers(2000, size=count)] + 0.7 * noise

    items = around(MILLION) * rng.gamma(4, 0.25, size=(MILLION, 1)).astype(np.float32)
    scorer = FactorScorer(torch.from_numpy(around(n_users)), torch.from_numpy(items))
    users = Vocabulary([f"u{at}" for at in range(n_users)])
    names = Vocabulary([f"i{at}" for at in range(MILLION)])
    who = np.repeat(np.arange(n_users), each)
    log = Interactions(users, names, who, rng.integers(MILLION, size=len(who)))
    table = pa.table({"part": rng.choice(["one", "rest"], MILLION, p=[0.01, 0.99])})
    run = RunDirectory(out)
    results = run.read_results()
    run.write_model({}, {"train+valid": scorer}, "train+valid")
    run.write_vocabulary(log, [log])
    run.write_items(Catalogue(names, table, (None,) * MILLION, Path()))
    run.write_results(results)  # with the digests of these files
    return scorer


def recalls(server: Server, run: Path, scorer: FactorScorer, where: dict | None) -> tuple[Any, ...]:
    """Recall@10 of 200 users against scoring everything, each request's seconds, and the
    milliseconds of a core that one takes.
    """
    seen = RunDirectory(run).read_seen()
    parts = np.asarray(RunDirectory(run).read_items()["part"])
    allowed = np.ones(MILLION, bool) if where is None else parts == where["part"]
    client, found, taken, before = Client(server), [], [], server.computing()
    words = "" if where is None else "&where=" + quote(json.dumps(where))
    for user in range(200):
        scores = (scorer.items @ scorer.users[user]).numpy()
        scores[~allowed] = -np.inf
        scores[seen[1][seen[0] == user]] = -np.inf
        true = {f"i{at}" for at in np.argpartition(-scores, 10)[:10]}
        start = time.perf_counter()
        _, told = client.ask("GET", f"/v1/users/u{user}/recommendations?k=10{words}")
        taken.append(time.perf_counter() - start)
        found.append(len(true & {row["item_id"] for row in json.loads(told)["items"]}) / 10)
    return np.mean(found), np.array(taken), 5 * (server.computing() - before)


def killed(run: Path, folder: Path, rounds: int) -> tuple[int, int, int, str]:
    """Events and items acknowledged in all rounds, how many of them are not there, and how."""
    events: list[str] = []
    items: list[str] = []
    field = Recommender.load(run).field_names[0]
    store, log = folder / "killed.sqlite", folder / "killed.log"
    for number in range(rounds):
        server = Server(run, store, log)
        first = {"item_id": f"first-{number}", "fields": {field: "red"}}
        assert Client(server).ask("POST", "/v1/items", first)[0] == 201  # the encoder is loaded
        items.append(f"first-{number}")

        def tell(writer: int, number: int = number, server: Server = server) -> None:
            client = Client(server)
            for at in range(1_000_000):
                name = f"{number}-{writer}-{at}"
                asked: tuple[str, Any] = ("/v1/events", [{"user_id": name, "item_id": "x"}])
                if not writer:
                    asked = ("/v1/items", {"item_id": name, "fields": {field: "red"}})
                try:
                    status, told = client.ask("POST", *asked)
                except (OSError, http.client.HTTPException):
                    return
                assert status in (201, 202), told
                (events if writer else items).append(name)

        wait = random.Random(number).uniform(0.5, 3)
        threads = [threading.Thread(target=tell, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(wait)
        server.end(kill=True)
        for thread in threads:
            thread.join()
    kept = Store(f"sqlite:///{store}")
    there = {one.item_id for one in kept.changes(0, 10**9)}
    lost = [name for name in events if kept.history(name, 1) != ["x"]]
    lost += [name for name in items if name not in there]
    server = Server(run, store, log)
    client = Client(server)
    unserved = [one for one in items if client.ask("GET", f"/v1/items/{one}")[0] != 200]
    server.end()
    again = f"started on it again, the server offers {len(items) - len(unserved)} of the items"
    return len(events), len(items), len(lost), again


def hostile(server: Server, count: int) -> Counter[int]:
    """Statuses of malformed and hostile requests, drawn anew each time."""
    rng = random.Random(0)
    texts = ["", "\0", "../../etc/passwd", "file:///etc/passwd", "%", "a" * 3000, "' OR 1=1 --",
             "{{7*7}}", "\u202e", "1e999", "NaN", "null", "[]", "<script>", "http://127.0.0.1:1/",
             "\r\nX: y", "\U0001f600", "-1"]  # fmt: skip
    values = [*texts, None, True, -1, 2**63, 0.5, [], {}, [[]], {"lt": "x"}, {"$where": 1}, 10**400]
    heads = ["/v1/users/{}/recommendations", "/v1/items/{}/similar", "/v1/items/{}",
             "/v1/items/{}/picture", "/v1/fields/{}", "/v1/{}", "/{}", "/page/{}"]  # fmt: skip
    ends = ["/v1/recommendations", "/v1/events", "/v1/items", "/v1/items/{}", "/v1/search"]
    keys = ["history", "k", "where", "candidates", "explain", "item_id", "fields",
            "picture", "timestamp", "\u0000"]  # fmt: skip
    statuses: Counter[int] = Counter()
    client = Client(server)

    def text() -> str:
        return quote(rng.choice(texts), safe="")

    for _ in range(count):
        if rng.random() < 0.4:
            path = rng.choice(heads).format(text() or "%00")
            query = "&".join(
                f"{key}={text()}" for key in rng.sample(["k", "where", "explain", "q"], 2)
            )
            status, told = client.raw("GET", f"{path}?{query}", None, {})
        else:
            body: Any = {key: rng.choice(values) for key in rng.sample(keys, rng.randint(1, 4))}
            body = rng.choice([body, [body], [body, body], rng.choice(values)])
            data = json.dumps(body).encode()
            if rng.random() < 0.4:  # broken on the way
                at = rng.randrange(len(data) + 1)
                data = data[:at] + rng.randbytes(rng.randint(0, 9)) + data[at + 1 :]
            kind = rng.choice(["application/json", "image/png", "text/plain", "a/b; c=\x7f"])
            path = rng.choice(ends).format(text() or "%00")
            method = rng.choice(["POST", "POST", "PUT", "PATCH", "DELETE"])
            status, told = client.raw(method, path, data, {"Content-Type": kind})
        statuses[status] += 1
        assert b"Traceback" not in told and b"root:" not in told
    return statuses


def mixed(server: Server, run: Path, seconds: float) -> tuple[Counter[int], np.ndarray]:
    """Statuses of everything at once, and the medians of `Server.memory` in each minute, (m, 2).

    A put holds some for a moment, so that a single look says little.
    """
    recommender = Recommender.load(run)
    users, items = recommender.users.ids(), recommender.items.ids()
    field = recommender.field_names[0]
    statuses: Counter[int] = Counter()
    minutes: defaultdict[int, list[tuple[float, float]]] = defaultdict(list)
    start = time.monotonic()
    end = start + seconds

    def watch() -> None:
        while (now := time.monotonic()) < end:
            minutes[int(now - start) // 60].append(server.memory())
            time.sleep(1)

    def work(number: int) -> None:
        client, draw, at = Client(server), random.Random(number), 0
        while time.monotonic() < end:
            at += 1
            user, item = quote(draw.choice(users), safe=""), draw.choice(items)
            asked: list[tuple[str, str, Any]] = [
                ("GET", f"/v1/users/{user}/recommendations", None),
                ("GET", f"/v1/items/{quote(item, safe='')}/similar", None),
                ("POST", "/v1/recommendations", {"history": [item], "explain": "history"}),
                ("POST", "/v1/events", [{"user_id": draw.choice(users), "item_id": item}]),
                ("GET", f"/v1/search?q={quote(item)}", None),
                ("GET", "/metrics", None),
            ]
            if at % 50 == 0:
                put = {"fields": {field: f"red {at}"}}
                asked.append(("PUT", f"/v1/items/m{number}-{at % 5}", put))
            for one in asked:
                statuses[client.ask(*one)[0]] += 1

    in_threads(5, lambda number: work(number) if number else watch())
    return statuses, np.array([np.median(held, axis=0) for _, held in sorted(minutes.items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/serving.md"))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--mixed", type=float, default=1800)
    parser.add_argument("--hostile", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=4000)
    asked = parser.parse_args()
    rows: list[tuple[str, str, str]] = []

    def say(what: str, floor: str, found: str) -> None:
        load = os.getloadavg()[0]
        rows.append((what, floor, f"{found} (load {load:.1f})"))
        print("|", " | ".join(rows[-1]), "|", flush=True)
        lines = [f"| {' | '.join(row)} |" for row in rows]
        about = (
            f"`benchmarks/serving.py` on {os.cpu_count()} cores, which the clients share; the load "
            "is the system's average of the last minute at each measurement, other work included: "
            "idle would be the server's own."
        )
        head = ["# Serving", "", about, "", "| What | Asked for | Found |", "|---|---|---|"]
        asked.out.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = asked.run or demo(folder)
        server = Server(run, folder / "a.sqlite", folder / "log")
        say("demo, ready", "5 s", f"{server.ready:.1f} s")
        users = Recommender.load(run).users.ids()
        rate(server, users, 200, 4)
        server.calm()
        for at_once in (1, 8):
            before = server.computing()
            each, taken = rate(server, users, asked.requests, at_once)
            cost = 1000 * (server.computing() - before) / len(taken)
            found = f"{each:.0f} requests/s, {milliseconds(taken)}, {cost:.1f} ms of a core each"
            say(f"demo, {at_once} at a time", "400 requests/s, p99 50 ms", found)
        events = Store(f"sqlite:///{folder / 'a.sqlite'}")
        statuses = hostile(server, asked.hostile)
        bad = sum(count for status, count in statuses.items() if status >= 500)
        written = events.count_events() + len(events.changes(0, 10))
        lines = (folder / "log").read_text().count("Traceback")
        found = (
            f"{bad} 5xx, {lines} tracebacks, {written} written; {dict(sorted(statuses.items()))}"
        )
        say(f"{sum(statuses.values())} malformed or hostile requests", "none of each", found)
        statuses, held = mixed(server, run, asked.mixed)
        whole, files = (", ".join(f"{one:.0f}" for one in part) for part in held.T)
        memory = f"MiB in each minute: {whole}; of these pages of files: {files}"
        found = f"{dict(sorted(statuses.items()))}; {memory}"
        say(f"{asked.mixed:.0f} s of mixed load", "no error, no growth", found)
        server.end()
        n_events, n_items, lost, again = killed(run, folder, asked.kills)
        found = f"{n_events} events and {n_items} items acknowledged, {lost} lost; {again}"
        say(f"{asked.kills} `kill -9` under load", "none lost", found)

        scorer = million(folder / "million")
        server = Server(folder / "million", folder / "m.sqlite", folder / "log")
        say("1,000,000 items, ready", "15 s", f"{server.ready:.1f} s")
        client = Client(server)
        client.ask("GET", "/v1/users/u0/recommendations?where=%7B%22part%22%3A%22one%22%7D")
        for what, where in (("all", None), ("1 %", {"part": "one"}), ("99 %", {"part": "rest"})):
            recall, taken, cost = recalls(server, folder / "million", scorer, where)
            found = f"recall@10 {recall:.4f}, {milliseconds(taken)}, {cost:.1f} ms of a core each"
            say(f"1,000,000 items, {what} of them", "recall@10 0.99, p50 15 ms", found)
        server.end()


if __name__ == "__main__":
    main()
