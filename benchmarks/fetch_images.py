"""Pictures fetched per second by `fetch_images` against a plain loop over one kept connection.

Both ask a server in another process on 127.0.0.1, which answers after a latency; both verify every
picture by decoding it and write it to disk. The loop knows no limits, retries, checks or journal.
Politeness is lifted (it would bound the rate by design) except for `--per-host`.

    python benchmarks/fetch_images.py [--images 400] [--latencies 0,20,100] [--repeats 3]
"""

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import numpy as np
import pyarrow as pa
from PIL import Image

from cliper.data import Catalogue, Dataset, Interactions, Vocabulary
from cliper.data.fetch import FetchSettings, fetch_images
from cliper.data.images import verify_image


def pictures(count: int) -> list[bytes]:
    """Distinct JPEGs of 300 × 300 pixels and about 20 kB, as shops show them."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(count):
        small = rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(small).resize((300, 300), Image.Resampling.BICUBIC).save(stream, "JPEG")
        found.append(stream.getvalue())
    return found


def serve(ready: Connection, count: int, seconds: float) -> None:
    """Answer `/N` with picture N after so many seconds, over kept connections, until killed."""
    bodies = pictures(count)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if seconds:
                    await asyncio.sleep(seconds)
                body = bodies[int(head.split(b" ", 2)[1][1:])]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def by_loop(urls: list[str], folder: Path) -> None:
    with httpx2.Client(trust_env=False) as client:
        for n, url in enumerate(urls):
            data = client.get(url).raise_for_status().content
            verify_image(data)
            (folder / f"{n}.jpg").write_bytes(data)


def by_fetch(urls: list[str], folder: Path, settings: FetchSettings) -> None:
    items = Vocabulary([str(n) for n in range(len(urls))])
    log = Interactions(Vocabulary(["u"]), items, np.zeros(1, int), np.zeros(1, int))
    table = pa.table({"title": [""] * len(urls)})
    catalogue = Catalogue(items, table, (None,) * len(urls), folder, tuple((u,) for u in urls))
    _, report = fetch_images(Dataset("bench", log, catalogue).save(folder), settings)
    assert report.fetched == len(urls), report


def measure(count: int, latency: int, repeats: int, per_host: int) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    server = context.Process(target=serve, args=(there, count, latency / 1e3), daemon=True)
    server.start()
    port = here.recv()
    urls = [f"http://127.0.0.1:{port}/{n}" for n in range(count)]
    settings = FetchSettings(
        allowed_hosts=("127.0.0.1",), rate=1e5, per_host=per_host, concurrency=per_host
    )
    seconds: dict[str, list[float]] = {"loop": [], "fetch_images": []}
    cpu: dict[str, list[float]] = {"loop": [], "fetch_images": []}
    try:
        for _ in range(repeats):
            for name in seconds:
                with tempfile.TemporaryDirectory() as folder:
                    start, used = time.perf_counter(), time.process_time()
                    if name == "loop":
                        by_loop(urls, Path(folder))
                    else:
                        by_fetch(urls, Path(folder), settings)
                    seconds[name].append(time.perf_counter() - start)
                    cpu[name].append(time.process_time() - used)
    finally:
        server.kill()
        server.join()
    rates = {name: count / statistics.median(times) for name, times in seconds.items()}
    return {
        "latency_ms": latency,
        "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "ratio": round(rates["fetch_images"] / rates["loop"], 2),
        "cpu_ms_per_image": {
            name: round(1e3 * statistics.median(times) / count, 2) for name, times in cpu.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--latencies", default="0,20,100")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--per-host", type=int, default=32)
    arguments = parser.parse_args()
    latencies = [int(text) for text in arguments.latencies.split(",")]
    runs = [
        measure(arguments.images, latency, arguments.repeats, arguments.per_host)
        for latency in latencies
    ]
    told = {
        "images": arguments.images,
        "bytes": sum(map(len, pictures(arguments.images))),
        "per_host": arguments.per_host,
        "repeats": arguments.repeats,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "httpcore2": httpx2.__version__,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "runs": runs,
    }
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
