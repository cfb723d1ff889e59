"""Cases played one by one: a value or one line comes out within bounds, or it is a finding."""

import shutil
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import FrameType

import cliper
from generated.fuzz.mutate import mutated
from generated.fuzz.reader import Read, Reader

SECONDS = 10.0
LONGEST = 3_000
"""Characters of a refusal."""
_ROOT = str(Path(cliper.__file__).parent)


class TooSlow(BaseException):
    """Raised in the middle of a case; no reader catches it."""


@dataclass(frozen=True)
class Finding:
    """What should not have happened.

    Attributes:
        kind: the exception, and the place in the package where it came out.
        told: its message.
    """

    kind: str
    told: str


class Player:
    """Plays the cases of a reader in a folder of its own.

    Args:
        reader: what is played.
        folder: made; the valid files are laid there.
        seconds: of computing, for one case.
    """

    def __init__(self, reader: Reader, folder: Path, seconds: float = SECONDS) -> None:
        self.reader, self.folder, self.seconds = reader, folder, seconds
        self._lay()
        self._read: Read | None = None

    def case(self, seed: int, number: int) -> tuple[str, bytes]:
        """A damaged file: its name and content."""
        random = Random(f"{seed}/{self.reader.name}/{number}")
        name = random.choice(self.reader.damaged)
        return name, mutated(self.reader.files[name], random)

    def play(self, name: str, data: bytes) -> str | Finding:
        """`read`, `refused`, or a finding."""
        path = self.folder / name
        path.write_bytes(data)
        try:
            if self._read is None:
                self._read = self.reader.begin(self.folder)
            return _outcome(self._read, path, self.reader.refuses, self.seconds)
        finally:
            if self.reader.writes:
                self._lay()
            else:
                path.write_bytes(self.reader.files[name])

    def valid(self) -> Iterator[tuple[str, str | Finding]]:
        """What comes of the files as they are."""
        for name in self.reader.damaged:
            yield name, self.play(name, self.reader.files[name])

    def least(self, name: str, data: bytes, kind: str, tries: int = 400) -> bytes:
        """A shorter case with the same finding."""
        if kind.startswith("too slow"):  # each try takes as long
            tries = 5
        step = max(1, len(data) // 2)
        while step and tries > 0:
            start, shorter = 0, False
            while start < len(data) and tries > 0:
                less = data[:start] + data[start + step :]
                tries -= 1
                found = self.play(name, less)
                if isinstance(found, Finding) and found.kind == kind:
                    data, shorter = less, True
                else:
                    start += step
            step = step if shorter and step == 1 else step // 2
        return data

    def _lay(self) -> None:
        if self.folder.exists():
            for path in self.folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, content in self.reader.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _outcome(
    read: Read, path: Path, refuses: tuple[type[Exception], ...], seconds: float
) -> str | Finding:
    try:
        with _bounded(seconds), warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # it would be seen on stderr
            read(path)
    except refuses as error:
        told = str(error)
        if "\n" in told.strip() or len(told) > LONGEST or not told.strip():
            what = "no line" if not told.strip() else "several lines or a long one"
            return Finding(f"{type(error).__name__} of {what}, {_place(error)}", told[:500])
        return "refused"
    except TooSlow as error:
        return Finding(f"too slow, {_place(error)}", "")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Finding(f"{type(error).__name__}, {_place(error)}", str(error)[:500])
    return "read"


def _place(error: BaseException) -> str:
    """The innermost function of the package in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(_ROOT)]
    if not own:
        return "outside of the package"
    return f"{own[-1].filename.removeprefix(_ROOT + '/')}:{own[-1].name}"


@contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    def stop(_: int, __: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


Told = Callable[[str, bytes, Finding], None]


def play_many(player: Player, seed: int, numbers: range, told: Told) -> Counter[str]:
    """Outcomes of cases by their numbers; findings are told."""
    outcomes: Counter[str] = Counter()
    for number in numbers:
        name, data = player.case(seed, number)
        found = player.play(name, data)
        outcomes[found if isinstance(found, str) else "finding"] += 1
        if isinstance(found, Finding):
            told(name, data, found)
    return outcomes
