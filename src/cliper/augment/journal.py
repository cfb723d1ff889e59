"""Answers on disk, in a file that only grows: a killed run goes on after its last batch."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path


class Journal:
    """Answers by key, a JSON line each.

    A batch is written at once and forced to the disk. A line that a kill cut off is cut away when
    the file is opened again; a damaged one is passed over and its question asked again.

    Args:
        path: the file; made with the first answer.

    Attributes:
        answers: what is known, by key.
        damaged: lines that could not be read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "answers.jsonl"
    >>> Journal(path).append({"k": "3::7"})
    >>> Journal(path).answers
    {'k': '3::7'}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, str] = {}
        self.damaged = 0
        content = path.read_bytes() if path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        for line in whole.splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            key, answer = entry["key"], entry["answer"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.damaged += 1
            return
        if isinstance(key, str) and isinstance(answer, str):
            self.answers.setdefault(key, answer)
        else:
            self.damaged += 1

    def append(self, answers: Mapping[str, str]) -> None:
        """Add the answers whose keys are new, as one write."""
        new = {key: answer for key, answer in answers.items() if key not in self.answers}
        if not new:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps({"key": key, "answer": answer}) for key, answer in new.items()]
        with self.path.open("ab") as stream:
            stream.write(("\n".join(lines) + "\n").encode("ascii"))
            stream.flush()
            os.fsync(stream.fileno())
        self.answers.update(new)


def question_key(prompt: str, most: int) -> str:
    """The key of a question and the tokens that its answer may have: 128 bits in hex."""
    content = f"{most}\0{prompt}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).hexdigest()
