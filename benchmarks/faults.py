"""Flipped bits, cut files, kills, full and forbidden disks, two writers: what a user is told.

    python benchmarks/faults.py [--flips N] [--truncations N] [--kills N] [--seconds S]
        [--parts FILE]

A generated shop with pictures is prepared, encoded and trained on once. Then its files are damaged
one at a time and read by everything that reads them, and commands are killed (SIGKILL, at random
moments) and given again; of commands with several processes the command itself, or one of the
others. Nothing may be read without a word when it says something else, no other exception than
`InputError` may come out, and after the last command nothing half-written may lie about, and no
process be left. What needs root is left out, and said so, without it. Writes `results/faults.md`.
"""

import argparse
import ctypes
import hashlib
import io
import json
import os
import platform
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cliper import __version__
from cliper.cli import main
from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.run.experiment import evaluate_run
from cliper.files import write_text
from cliper.representation.represent import represent
from cliper.runs import RunDirectory
from cliper.serving import Recommender

RESULT = Path(__file__).parents[1] / "results" / "faults.md"
ITEMS, USERS, EACH = 40, 60, 10
PATIENCE = 600
"""Looks, twenty a second, for which a command's other processes may do nothing once it is gone."""
Digest = Callable[[], str]
SEVERAL = ("--processes", 2, "--epochs", 10, "--set", "training.patience=1000",
           "--set", "training.checkpoint_seconds=0")  # fmt: skip


def write_shop(folder: Path) -> None:
    """A catalogue with pictures and a log."""
    generator = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    rows, log = [], ["user_id,item_id,timestamp"]
    for i in range(ITEMS):
        pixels = generator.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{i}.png")
        rows.append({"item_id": f"i{i}", "title": f"thing {i}", "image": f"images/{i}.png"})
    for u in range(USERS):
        for t, i in enumerate(generator.permutation(ITEMS)[:EACH]):
            log.append(f"u{u},i{i},{1000 * u + t}")
    (folder / "items.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    (folder / "log.csv").write_text("\n".join(log) + "\n")


def command(*arguments: object) -> tuple[int, str]:
    """A command's status and what it said on stderr."""
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        status = main([str(one) for one in arguments])
    return status, err.getvalue()


def prepare(raw: Path, out: Path) -> tuple[object, ...]:
    """The arguments."""
    log = raw / "log.csv"
    return ("prepare", "files", "--items", raw / "items.jsonl", "--interactions", log,
            "--k-core", 2, "--out", out)  # fmt: skip


def train(dataset: Path, out: Path, epochs: int = 30, seed: int = 0) -> tuple[object, ...]:
    """The arguments, of a training that keeps a checkpoint of every epoch."""
    return ("train", dataset, "--backbone", "vbpr", "--features", "cliper", "--epochs", epochs,
            "--seed", seed, "--set", "training.patience=1000",
            "--set", "training.checkpoint_seconds=0", "--out", out)  # fmt: skip


def what_is_read(root: Path) -> dict[str, tuple[list[Path], Digest]]:
    """Kind of directory → its files, and a digest of all that reading it says."""
    data, run, half = root / "ds", root / "run", root / "half"

    def of_dataset() -> str:
        return Dataset.load(data).hash

    def of_encodings() -> str:
        features = represent(Dataset.load(data))
        tables = [features.tables[m].numpy().tobytes() for m in features.modalities]
        return hashlib.sha256(b"".join(tables)).hexdigest()

    def of_run() -> str:
        evaluation = evaluate_run(run)[1]
        found, directory = Recommender.load(run), RunDirectory(run)
        answers = repr(found.recommend(found.users.ids()[:5], 10))
        model = directory.read_tensors("model.safetensors")
        told = [answers, repr(dict(evaluation.metrics)), directory.read_results().model_dump_json()]
        told += [repr(directory.read_metrics()), directory.read_per_user().to_pandas().to_json()]
        told += [repr(sorted((k, v.sum().item()) for k, v in model.items()))]
        return hashlib.sha256("".join(told).encode()).hexdigest()

    def of_unfinished() -> str:
        from cliper.tensor_files import load_tensors

        tensors, state = load_tensors(half / "checkpoint.safetensors")
        numbers = b"".join(tensors[k].numpy().tobytes() for k in sorted(tensors))
        return hashlib.sha256(numbers + repr(state).encode()).hexdigest()

    def files(folder: Path) -> list[Path]:
        found = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return [path for path in found if path.name not in ("log.txt", ".lock")]

    own = [path for path in files(data) if path.parent == data]
    return {
        "dataset": (own, of_dataset),
        "encodings": (files(data / "encodings"), of_encodings),
        "run": (files(run), of_run),
        "checkpoint": ([half / "checkpoint.safetensors"], of_unfinished),
    }


def damage(
    kinds: dict[str, tuple[list[Path], Digest]], count: int, until: float, cut: bool
) -> dict[str, Counter[str]]:
    """Damage files in turns, and count what reading them comes to."""
    generator = random.Random(1 if cut else 0)
    outcomes: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    before = {kind: digest() for kind, (_, digest) in kinds.items()}
    for number in range(count):
        if time.monotonic() > until:
            break
        kind = list(kinds)[number % len(kinds)]
        files, digest = kinds[kind]
        path = generator.choice(files)
        good, times = path.read_bytes(), path.stat()
        if not good:
            continue
        bad = bytearray(good)
        if cut:
            bad = bad[: generator.randrange(len(good))]
        else:
            bad[generator.randrange(len(good))] ^= 1 << generator.randrange(8)
        path.write_bytes(bad)
        beside = set(path.parent.iterdir())
        try:
            outcome = "no other result" if digest() == before[kind] else f"silent: {path.name}"
        except InputError as error:
            named = path.name in str(error) or str(path.parent) in str(error)
            outcome = "refused" if named else f"refused without the file: {path.name}"
        except Exception as error:
            outcome = f"unclear: {path.name}: {type(error).__name__}"
        outcomes[kind][outcome] += 1
        path.write_bytes(good)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        for new in set(path.parent.iterdir()) - beside:  # what was encoded once more
            shutil.rmtree(new) if new.is_dir() else new.unlink()
    return outcomes


def forked(work: Callable[[], int], after: float | None = None) -> int:
    """Do it in a child; killed after so many seconds. Its status, or minus the signal."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def quiet(*arguments: object) -> Callable[[], int]:
    """A command whose words are thrown away."""
    return lambda: command(*arguments)[0]


def content(folder: Path) -> dict[str, str]:
    """Files that must be the same whatever happened on the way; a search's trials hold times."""
    found = [*folder.rglob("*.parquet"), *folder.rglob("*.safetensors")]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if path.name != "trials.parquet"
    }


def left_behind(folder: Path) -> list[str]:
    """Half-written files and folders."""
    return [p.name for p in folder.rglob("*") if p.name.endswith((".part", ".old"))]


def kills(root: Path, count: int, until: float) -> Counter[str]:
    """Kill a `prepare` or a training a few times, give the command again, compare the bytes."""
    generator = random.Random(2)
    raw, outcomes = root / "raw", Counter[str]()
    work = root / "kills"
    works = {
        "prepare": (lambda: prepare(raw, work / "out"), ()),
        "train": (lambda: train(root / "ds", work / "out"), ("--resume",)),
    }
    began = time.monotonic()
    for number, (name, (arguments, again)) in enumerate(works.items(), 1):
        end = began + (until - began) * number / len(works)
        work.mkdir()
        started = time.monotonic()
        if forked(quiet(*arguments())) != 0:
            raise SystemExit(f"{name} fails without any fault")
        takes, whole = time.monotonic() - started, content(work / "out")
        shutil.rmtree(work)
        killed = 0
        while killed < count // len(works) and time.monotonic() < end:
            work.mkdir()
            times = generator.randint(1, 4)
            for _ in range(times):
                extra = again if (work / "out").exists() else ()
                status = forked(quiet(*arguments(), *extra), generator.uniform(0, takes))
                killed += status == -9
                outcomes[f"{name}: killed" if status == -9 else f"{name}: done before"] += 1
            extra = again if (work / "out").exists() else ()
            status = forked(quiet(*arguments(), *extra))
            same = status == 0 and content(work / "out") == whole
            outcomes[f"{name}: ends in the same bytes" if same else f"{name}: DIFFERS"] += 1
            if left := left_behind(work):
                outcomes[f"{name}: LEFT BEHIND {left[0]}"] += 1
            shutil.rmtree(work)
    return outcomes


def compare(dataset: Path, out: Path) -> tuple[object, ...]:
    """The arguments, of four trainings in two processes."""
    return ("compare", dataset, "--backbones", "vbpr,bpr", "--features", "vanilla", "--seeds", 2,
            *SEVERAL, "--out", out)  # fmt: skip


def search(dataset: Path, out: Path) -> tuple[object, ...]:
    """The arguments, of a search in two processes whose trials do not depend on one another."""
    return ("search", dataset, "--backbone", "bpr", "--features", "none", "--trials", 4,
            "--space", "training.learning_rate=1e-3..1e-2", "--sampler", "random",
            "--prune", "none", *SEVERAL, "--out", out)  # fmt: skip


def group_of(leader: int) -> list[int]:
    """The processes of a group but its leader that are alive, by /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended
            continue
        if int(group) == leader != int(path.parent.name) and state != "Z":
            found.append(int(path.parent.name))
    return found


def computed(process: int) -> float:
    """Ticks that a process has computed for; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return float(fields[11]) + float(fields[12])


def several(work: Callable[[], int], after: float, victim: str) -> tuple[str, int]:
    """Do it in a group of processes, one of which is killed after so many seconds.

    Returns:
        Whom it met (`none` if all was done before), and the command's status.
    """
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    time.sleep(after)
    others = group_of(child)
    done, status = os.waitpid(child, os.WNOHANG)
    met = "none" if done else victim if victim == "command" or others else "command"
    if not done:
        with suppress(ProcessLookupError):
            os.kill(child if met == "command" else random.choice(others), signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    idle, before = 0, 0.0  # looks, not seconds: all of them may have been stopped for a while
    while left := group_of(child):
        worked = sum(map(computed, left))
        # one that still imports what it needs notices afterwards
        idle, before = (idle + 1 if worked == before else 0), worked
        if idle > PATIENCE:
            for one in left:
                print(f"    left: {Path(f'/proc/{one}/cmdline').read_bytes()!r}", flush=True)
                os.kill(one, signal.SIGKILL)
            raise SystemExit(f"{len(left)} processes are left of a command that is gone ({met})")
        time.sleep(0.05)
    return met, os.waitstatus_to_exitcode(status)


def kills_of_several(root: Path, count: int, until: float) -> Counter[str]:
    """Kill commands with several processes, or one of these; as `kills`."""
    generator, outcomes = random.Random(3), Counter[str]()
    work = root / "several"
    began = time.monotonic()
    for number, (name, arguments) in enumerate((("compare", compare), ("search", search)), 1):
        end, killed = began + (until - began) * number / 2, 0
        words = arguments(root / "ds", work / "out")
        for _ in range(2):  # the first encodes as well
            work.mkdir()
            started = time.monotonic()
            if forked(quiet(*words)) != 0:
                raise SystemExit(f"{name} fails without any fault")
            takes, whole = time.monotonic() - started, content(work / "out")
            shutil.rmtree(work)
        while killed < count // 2 and time.monotonic() < end:
            work.mkdir()
            for _ in range(generator.randint(1, 4)):
                victim = generator.choice(("command", "another"))
                met, status = several(one_line(*words), generator.uniform(0, takes), victim)
                killed += met != "none"
                expected = {"none": (0,), "command": (-9,), "another": (0, 1)}[met]
                told = "" if status in expected else f", ENDS WITH {status}"
                of = {"none": "done before", "command": "the command killed",
                      "another": "one of its processes killed"}[met]  # fmt: skip
                outcomes[f"{name}: {of}{told}"] += 1
            same = forked(quiet(*words)) == 0 and content(work / "out") == whole
            outcomes[f"{name}: ends in the same bytes" if same else f"{name}: DIFFERS"] += 1
            if left := left_behind(work):
                outcomes[f"{name}: LEFT BEHIND {left[0]}"] += 1
            shutil.rmtree(work)
    return outcomes


def one_line(*arguments: object) -> Callable[[], int]:
    """A command in a child; its status, 90 where a failure is not told in one line."""

    def work() -> int:
        status, text = command(*arguments)
        last = text.strip().splitlines()[-1:] or [""]
        told = "Traceback" not in text and last[0].startswith("cliper:")
        return status if status == 0 or told else 90

    return work


def told(*arguments: object) -> Callable[[], int]:
    """A command in a child; its status, 90 where it says more than a line of error or less."""

    def work() -> int:
        status, text = command(*arguments)
        last = text.strip().splitlines()[-1:] or [""]
        print(f"    {' '.join(map(str, arguments[:2]))}: {status}: {last[0][:160]}", flush=True)
        return 90 if "Traceback" in text or not last[0].startswith("cliper:") else status

    return work


def mounted(target: Path, options: list[str], work: Callable[[], int]) -> int:
    """Do it where a file system of its own is mounted; needs root."""
    target.mkdir(exist_ok=True)

    def inside() -> int:
        if ctypes.CDLL(None).unshare(0x00020000) != 0:  # CLONE_NEWNS
            return 98
        subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True)
        done = subprocess.run(["mount", *options, str(target)], check=False, capture_output=True)
        return 98 if done.returncode else work()

    return forked(inside)


def disks(root: Path) -> dict[str, int]:
    """Statuses of commands on a full, a read-only and a forbidden disk; 98 is "not possible"."""
    small, raw = root / "small", root / "raw"
    tmpfs = ["-t", "tmpfs", "-o", "size=48k", "tmpfs"]
    forbidden = root / "forbidden"
    forbidden.mkdir(mode=0o000)

    def as_nobody() -> int:
        os.setgroups([])
        os.setuid(65534)
        return told(*train(root / "ds", forbidden / "run", 1))()

    encoded = root / "read-only"
    shutil.copytree(root / "ds", encoded)
    bind = ["--bind", "-o", "ro", str(encoded)]
    return {
        "full: prepare": mounted(small, tmpfs, told(*prepare(raw, small / "ds"))),
        "full: train": mounted(small, tmpfs, told(*train(root / "ds", small / "run", 3))),
        "read-only: train on an encoded dataset": mounted(
            root / "mounted", bind, quiet(*train(root / "mounted", root / "from-read-only", 2))
        ),
        "read-only: train into it": mounted(
            root / "mounted", bind, told(*train(root / "ds", root / "mounted" / "run", 2))
        ),
        "forbidden: train into it": 98 if os.getuid() else forked(as_nobody),
    }


def two_writers(root: Path, count: int, until: float) -> Counter[str]:
    """Two trainings into one place, both at once; one of them must be refused."""
    outcomes = Counter[str]()
    for number in range(count):
        if time.monotonic() > until:
            break
        out = root / f"both-{number}"
        first = os.fork()
        if first == 0:
            os._exit(command(*train(root / "ds", out, 20, seed=1))[0])
        second = forked(quiet(*train(root / "ds", out, 20, seed=2)))
        both = sorted([second, os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])])
        seed = RunDirectory(out).read_results().config["training"]["seed"]
        evaluate_run(out)
        expected = both == [0, 2] and seed in (1, 2)
        outcomes["one is done, one refused" if expected else f"OTHER: {both}"] += 1
    return outcomes


def table(title: str, outcomes: dict[str, Counter[str]]) -> list[str]:
    """Markdown: a row a kind."""
    total = sum(sum(counts.values()) for counts in outcomes.values())
    lines = ["", f"## {title} ({total:,})", "", "| Where | Outcome | Cases |", "|---|---|---|"]
    for kind, counts in outcomes.items():
        lines += [f"| {kind} | {what} | {n:,} |" for what, n in sorted(counts.items())]
    return lines


def run(options: argparse.Namespace, root: Path) -> None:
    """All of it, then the page."""
    started = time.monotonic()
    torch.set_num_threads(1)
    write_shop(root / "raw")
    for step in (prepare(root / "raw", root / "ds"), train(root / "ds", root / "run", 3)):
        status, text = command(*step)
        if status:
            raise SystemExit(text)
    while not (root / "half" / "checkpoint.safetensors").is_file():
        shutil.rmtree(root / "half", ignore_errors=True)
        forked(quiet(*train(root / "ds", root / "half", 10_000)), 4.0)
    kinds = what_is_read(root)
    shares = [time.monotonic() + options.seconds * share for share in (0.3, 0.35, 0.55, 0.95, 1.0)]
    n_several = options.kills // 4

    def part(name: str, make: Callable[[], Any]) -> Any:
        """What it came to, from an earlier run that kept it or now."""
        kept = json.loads(options.parts.read_text()) if options.parts.is_file() else {}
        if name not in kept:
            kept[name] = make()
            write_text(options.parts, json.dumps(kept, indent=1))
            print(name, kept[name], flush=True)
        return kept[name]

    flips = part("flips", lambda: damage(kinds, options.flips, shares[0], cut=False))
    cuts = part("cuts", lambda: damage(kinds, options.truncations, shares[1], cut=True))
    killed = part("kills", lambda: kills(root, options.kills - n_several, shares[2]))
    of_several = part("several", lambda: kills_of_several(root, n_several, shares[3]))
    statuses = part("disks", lambda: disks(root))
    writers = part("writers", lambda: two_writers(root, 10, shares[4]))
    lines = [
        "# Faults",
        "",
        f"`python benchmarks/faults.py --flips {options.flips} --truncations {options.truncations} "
        f"--kills {options.kills} --seconds {options.seconds}`, {date.today()}, "
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"cliper {__version__}; {(time.monotonic() - started) / 60:.0f} minutes, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB. Files are drawn with "
        "equal chances, then the place in them.",
        "",
        "*refused*: one line that names the file or its folder. *no other result*: what reading "
        "says is the same (a digest of a file that nothing reads, a row that is encoded once "
        "more). *refused without the file*: of `config.yaml` the dataset's path was hit, and the "
        "message names the dataset that is not there. *silent*, *unclear* and capitals are "
        "failures.",
        *table("Flipped bits", flips),
        *table("Cut files", cuts),
        *table("Kills", {"one process": killed, "two processes and the command": of_several}),
        *table("Two writers", {"two trainings, one `--out`": writers}),
        "",
        "## Disks",
        "",
        "Exit status: 0 done, 2 the place cannot be used, 1 anything else with one line; 90 would "
        "be a traceback, 98 is not possible on this machine.",
        "",
        "| Case | Status |",
        "|---|---|",
        *(f"| {case} | {status} |" for case, status in statuses.items()),
        "",
    ]
    write_text(RESULT, "\n".join(lines))
    print("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--truncations", type=int, default=300)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=3600, help="stop after so many")
    parser.add_argument("--parts", type=Path, help="keeps what is done; the next run goes on")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cliper-faults-") as folder:
        given.parts = given.parts or Path(folder) / "parts.json"
        run(given, Path(folder))
