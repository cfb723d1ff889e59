"""An encoding store of a million items: killed ten times, resumed, compared, opened.

A catalogue of N items (title, brand, global view, a picture each of 200,000 distinct ones) goes
through an encoder whose rows only the content decides, so that the store is measured and no
network. Once without interruption; once killed (SIGKILL) at random moments and started again each
time. Both must end in the same bytes. Then the encodings are opened in a fresh process.

    python benchmarks/million_store.py [--items 1000000] [--kills 10] [--width 256] [--work DIR]
"""

import argparse
import hashlib
import json
import platform
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from cliper.data import Catalogue, Dataset, Interactions, Vocabulary
from cliper.encoders.encode import encode_dataset
from cliper.encoders.registry import register_encoder
from cliper.encoders.settings import EncoderSettings
from cliper.views import render

LIMIT_GIB, LIMIT_OPEN = 2.0, 1.0
VIEWS = ["title", "brand", "global"]


class ContentEncoder:
    """Pseudo-random rows from the hash of what is encoded; costs microseconds."""

    name, max_tokens = "content", 77

    def __init__(self, width: int) -> None:
        self.width = width
        self.hash = hashlib.sha256(f"content {width}".encode()).hexdigest()

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        return self._rows([text.encode() for text in texts])

    def encode_image(self, images: Sequence[Path]) -> np.ndarray:
        return self._rows([path.read_bytes() for path in images])

    def _rows(self, contents: Sequence[bytes]) -> np.ndarray:
        digests = [hashlib.blake2b(c, digest_size=8).digest() for c in contents]
        seeds = np.frombuffer(b"".join(digests), dtype=np.uint64)[:, None]
        x = seeds + np.arange(1, self.width + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return ((x >> np.uint64(40)).astype(np.float32) / 2**23 - 1).astype(np.float32)


def make_dataset(folder: Path, n: int, pictures: int) -> None:
    """A dataset directory of n items and one interaction."""
    images = folder / "images"
    images.mkdir(parents=True)
    for i in range(pictures):
        colour = (i % 256, i // 256 % 256, i // 65536)
        Image.new("RGB", (4, 4), colour).save(images / f"{i}.png", compress_level=0)
    items = Vocabulary([f"B{i:09d}" for i in range(n)])
    table = pa.table(
        {
            "title": [f"Thing number {i} in colour {i % 97}" for i in range(n)],
            "brand": [f"Maker {i % 5000}" for i in range(n)],
        }
    )
    paths = tuple(f"images/{i % pictures}.png" for i in range(n))
    none = np.zeros(1, np.int64)
    log = Interactions(Vocabulary(["u"]), items, none, none)
    Dataset("million", log, Catalogue(items, table, paths, folder)).save(folder)


def peak_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def child(dataset: Path, width: int, job: str) -> None:
    """In a process of its own: encode, or open; one JSON line."""
    register_encoder("content", "rows from content")(lambda _: ContentEncoder(width))
    if job == "open":
        start = time.perf_counter()
        from cliper.encoders.assembled import load_assembled

        folder = next(p.parent for p in (dataset / "encodings").glob("content-*/*/about.json"))
        encodings = load_assembled(folder)
        row = np.array(encodings.text[:, 0]), np.array(encodings.image[-1])
        facts = {"open": time.perf_counter() - start, "row": float(row[0].sum() + row[1].sum())}
    else:
        loaded = Dataset.load(dataset)
        base = peak_gib()
        start = time.perf_counter()
        assert loaded.catalogue is not None
        views = render(loaded.catalogue, include=VIEWS)
        rendered = time.perf_counter() - start
        start = time.perf_counter()
        encode_dataset(loaded, views, EncoderSettings(name="content"))
        facts = {"render": rendered, "seconds": time.perf_counter() - start, "base_gib": base}
    print(json.dumps({**facts, "peak_gib": peak_gib()}))


def command(dataset: Path, width: int, job: str) -> list[str]:
    return [sys.executable, __file__, "--child", job, "--work", str(dataset), "--width", str(width)]


def finish(dataset: Path, width: int, job: str) -> dict[str, float]:
    done = subprocess.run(command(dataset, width, job), check=True, capture_output=True, text=True)
    facts: dict[str, float] = json.loads(done.stdout)
    return facts


def killed(dataset: Path, width: int, after: float) -> bool:
    """Start, kill after some seconds; False where it had ended before."""
    process = subprocess.Popen(command(dataset, width, "encode"), stdout=subprocess.DEVNULL)
    try:
        process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    return False


def contents(dataset: Path) -> str:
    """SHA-256 over every file of the assembled encodings, by name."""
    digest = hashlib.sha256()
    for folder in sorted((dataset / "encodings").glob("content-*/*/")):
        if not (folder / "about.json").is_file():
            continue
        for path in sorted(folder.iterdir()):
            with path.open("rb") as stream:
                digest.update(path.name.encode())
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def size_gib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--child", choices=["encode", "find", "open"])
    options = parser.parse_args()
    if options.child:
        child(options.work, options.width, options.child)
        return
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        dataset = Path(temporary) / "dataset"
        start = time.perf_counter()
        make_dataset(dataset, options.items, min(options.items, options.pictures))
        print(f"dataset made in {time.perf_counter() - start:.0f} s", flush=True)
        whole = finish(dataset, options.width, "encode")
        expected, size = contents(dataset), size_gib(dataset / "encodings")
        print(f"uninterrupted: {whole}", flush=True)
        opened = finish(dataset, options.width, "open")
        found = finish(dataset, options.width, "find")
        shutil.rmtree(dataset / "encodings")
        moments = random.Random(options.seed)
        span = whole["seconds"] + whole["render"]
        kills, peak = 0, 0.0
        for _ in range(options.kills):
            kills += killed(dataset, options.width, moments.uniform(2, max(4.0, 0.35 * span)))
        resumed = finish(dataset, options.width, "encode")
        peak = max(whole["peak_gib"], resumed["peak_gib"])
        same = contents(dataset) == expected
    lines = [
        "# A store of one million items, killed and resumed",
        "",
        f"{options.items:,} items, {len(VIEWS)} views, {options.pictures:,} distinct pictures, "
        f"width {options.width}; an encoder that costs nothing, so this is the store's own time.",
        "",
        "| what | measured | limit |",
        "|---|---:|---:|",
        f"| written without interruption | {whole['seconds']:.0f} s "
        f"({options.items / whole['seconds']:,.0f} items/s) | |",
        f"| on disk, rows and assembled arrays | {size:.1f} GiB | |",
        f"| killed with SIGKILL before its end | {kills} of {options.kills} times | 10 |",
        f"| bytes after the last resumption | {'equal' if same else '**differ**'} | equal |",
        f"| peak memory (rendered texts included) | {peak:.2f} GiB | {LIMIT_GIB} |",
        f"| … of which the loaded dataset | {whole['base_gib']:.2f} GiB | |",
        f"| opened, first and last row read | {opened['open']:.3f} s | {LIMIT_OPEN} |",
        f"| found by content: every text and picture hashed again | {found['seconds']:.1f} s | |",
        "",
        f"Command: `python benchmarks/million_store.py`. {date.today()}, {platform.machine()}, "
        f"Python {platform.python_version()}, NumPy {np.__version__}.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")
    if not same or peak > LIMIT_GIB or opened["open"] > LIMIT_OPEN:
        sys.exit(1)


if __name__ == "__main__":
    main()
