"""A million damaged files through every reader of the package: a value or one line comes out.

    python benchmarks/fuzz.py [--cases N] [--seconds S] [--seed N] [--readers a,b] [--keep]

`tests/generated/fuzz` names the readers, makes small valid files for each and damages them: bits,
bytes, lines, tokens, numbers, deep nesting, and values inside of JSON, Parquet, `.npy` and tensors.
A case must end within ten seconds of computing and two GiB more memory, with a value or with the
package's own error in one line. A case's number and the seed say what it is, so that a run can be
had again; readers take turns in blocks, each in a process of its own, so that one that dies is a
finding as well. Of each finding the least bytes that show it are kept under `tests/fuzz/corpus`
(`--keep`), where a test reads them from then on. Interrupted, it says what there is by then.
"""

import argparse
import json
import mmap
import os
import platform
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from cliper import __version__
from cliper.files import write_text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from generated.fuzz import Finding, Player, Reader, all_readers
from generated.fuzz.play import play_many

ROOT = Path(__file__).parents[1]
RESULT, CORPUS = ROOT / "results" / "fuzz.md", ROOT / "tests" / "fuzz" / "corpus"
BLOCK, TURN = 10_000, 2.0
"""Cases, and seconds of computing, after which another reader's turn comes."""
MEMORY = 2**31
"""Bytes beyond what a process has at its start."""
CPU_SECONDS = 900
"""Of a block: what computes in C for longer is ended by the system."""


@dataclass
class Tally:
    """What has come of a reader's cases."""

    cases: int = 0
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, tuple[str, bytes, str]] = field(default_factory=dict)


def play_block(
    reader: Reader, folder: Path, seed: int, numbers: range, tally: Tally, place: mmap.mmap
) -> None:
    """Play cases in a child, and add what it tells to the tally."""
    told = folder.with_suffix(".told")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            in_child(reader, folder, seed, numbers, set(tally.findings), place, told)
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    played = int.from_bytes(place[:8], "little")
    for line in told.read_text("utf-8").splitlines() if told.is_file() else []:
        one = json.loads(line)
        if "kind" in one:
            found = (one["name"], bytes.fromhex(one["data"]), one["told"])
            tally.findings.setdefault(one["kind"], found)
        else:
            tally.outcomes.update(one)
    told.unlink(missing_ok=True)
    tally.cases += played
    if status:
        name, data = Player(reader, folder).case(seed, numbers.start + played - 1)
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        tally.findings.setdefault(f"the process ended: {how}", (name, data, ""))
        tally.outcomes["finding"] += 1


def in_child(
    reader: Reader,
    folder: Path,
    seed: int,
    numbers: range,
    known: set[str],
    place: mmap.mmap,
    told: Path,
) -> None:
    """Play cases one by one, noting before each how many there were."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + CPU_SECONDS,) * 2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # libraries say things of their own
    player = Player(reader, folder)
    with told.open("a", encoding="utf-8") as stream:

        def tell(name: str, data: bytes, found: Finding) -> None:
            if found.kind in known:
                return
            known.add(found.kind)
            least = player.least(name, data, found.kind)
            line = {"name": name, "kind": found.kind, "told": found.told, "data": least.hex()}
            stream.write(json.dumps(line) + "\n")
            stream.flush()

        outcomes: Counter[str] = Counter()
        begun = time.process_time()
        for at, number in enumerate(numbers, 1):
            if time.process_time() - begun > TURN:
                break
            place[:8] = at.to_bytes(8, "little")
            outcomes += play_many(player, seed, range(number, number + 1), tell)
        stream.write(json.dumps(outcomes) + "\n")


def keep(reader: str, name: str, data: bytes) -> Path:
    """Put a finding into the corpus."""
    target = CORPUS / reader / f"{zlib.crc32(data):08x}.{name.replace('/', '~')}"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def page(options: argparse.Namespace, tallies: dict[str, Tally], seconds: float) -> str:
    """Markdown."""
    total = sum(tally.cases for tally in tallies.values())
    found = sum(len(tally.findings) for tally in tallies.values())
    kept = sum(1 for path in CORPUS.rglob("*") if path.is_file())
    command = f"python benchmarks/fuzz.py --cases {options.cases} --seed {options.seed}"
    command += f" --seconds {options.seconds}" if options.seconds else ""
    lines = [
        "# Damaged files",
        "",
        f"{total:,} cases through {len(tallies)} readers, {found} findings; {kept} findings of "
        "earlier runs are mended, and kept in `tests/fuzz/corpus`.",
        "",
        "*read*: a value came out. *refused*: the package's own error, in one line. Anything else, "
        "more than ten seconds of computing, two GiB more memory or a process that dies is a "
        "*finding*. Readers called *bare* read what earlier versions wrote, without digests.",
        "",
        "| Reader | Files | Cases | Read | Refused | Findings | ms a case |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, tally in tallies.items():
        out, files = tally.outcomes, options.damaged[name]
        each = 1000 * tally.seconds / max(1, tally.cases)
        lines.append(
            f"| {name} | {files} | {tally.cases:,} | {out['read']:,} | {out['refused']:,} | "
            f"{len(tally.findings)} | {each:.1f} |"
        )
    lines += [
        "",
        f"Command: `{command}`. {date.today()}, {platform.machine()}, one process on "
        f"{os.cpu_count()} cores, {seconds / 60:.0f} minutes; Python {platform.python_version()}, "
        f"cliper {__version__}, NumPy {np.__version__}, PyArrow {pa.__version__}, "
        f"PyTorch {torch.__version__}.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=1_000_000, help="of all readers together")
    parser.add_argument("--seconds", type=float, default=0, help="stop after so many; 0: never")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", help="these alone")
    parser.add_argument("--keep", action="store_true", help="findings go into the corpus")
    parser.add_argument("--out", type=Path, help=f"the page, such as {RESULT.name}")
    options = parser.parse_args()
    torch.set_num_threads(1)
    readers = all_readers()
    if options.readers:
        readers = {n: r for n, r in readers.items() if re.fullmatch(options.readers, n)}
    options.damaged = {name: len(reader.damaged) for name, reader in readers.items()}
    tallies = {name: Tally() for name in readers}
    options.stopped = False
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, lambda *_: setattr(options, "stopped", True))
    place, started = mmap.mmap(-1, 8), time.monotonic()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        while not finished(options, tallies, started):
            for name, reader in readers.items():
                if finished(options, tallies, started):
                    break
                tally, begun, known = tallies[name], time.monotonic(), len(tallies[name].findings)
                left = options.cases - sum(one.cases for one in tallies.values())
                numbers = range(tally.cases, tally.cases + min(left, BLOCK))
                play_block(reader, Path(folder) / name, options.seed, numbers, tally, place)
                shutil.rmtree(Path(folder) / name)
                tally.seconds += time.monotonic() - begun
                for kind, (file, data, told) in list(tally.findings.items())[known:]:
                    where = keep(name, file, data) if options.keep else file
                    shown = data if len(data) <= 120 else data[:120] + b"..."
                    print(f"{name}: {kind}: {told[:200]!r} ({where}: {shown!r})", flush=True)
    text = page(options, tallies, time.monotonic() - started)
    print(text)
    if options.out:
        write_text(options.out, text)
    sys.exit(any(tally.findings for tally in tallies.values()))


def finished(options: argparse.Namespace, tallies: dict[str, Tally], started: float) -> bool:
    """Enough cases, or enough time."""
    enough = sum(tally.cases for tally in tallies.values()) >= options.cases
    return enough or options.stopped or 0 < options.seconds <= time.monotonic() - started


if __name__ == "__main__":
    main()
