"""`PictureStore`: what was fetched, kept under the hash of its bytes, and a journal of how it went.

It lies in `fetched/` beside the dataset's `images/`, which links to its files. Preparing the
dataset again replaces `images/` but leaves `fetched/`, so nothing has to be fetched twice. A line
of the journal is written after the file that it names, so what it says is there is there; a line
that was cut off by a kill is passed over.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cliper.data.fetch.download import Body
from cliper.data.fetch.outcome import Again, Cause, Failure, FetchError, Outcome, Picture
from cliper.data.fetch.sniff import begins_like, looks_like
from cliper.data.images import verify_image
from cliper.data.pictures import PictureError
from cliper.files import locked

FOLDER = "fetched"


class PictureStore:
    """The folder `fetched/` of one dataset.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = folder / "journal.jsonl"

    @contextmanager
    def opened(self) -> Iterator["PictureStore"]:
        """Hold the store alone; what a killed run left half written is cleared away.

        Raises:
            InputError: another run is fetching for this dataset.
        """
        with locked(self.folder, "fetches pictures"):
            for part in self.folder.glob("*.part"):
                part.unlink()
            self._end_line()
            yield self

    def known(self) -> dict[str, Outcome]:
        """What earlier runs found out, by address; pictures whose file is gone are left out."""
        outcomes: dict[str, Outcome] = {}
        if not self._journal.is_file():
            return outcomes
        with self._journal.open("rb") as stream:
            for line in stream:
                entry = _parsed(line)
                if entry is not None:
                    outcomes[entry[0]] = entry[1]
        return {
            address: outcome
            for address, outcome in outcomes.items()
            if isinstance(outcome, Failure) or self._holds(outcome)
        }

    def keep(self, body: Body) -> Picture | Failure:
        """Verify a body by decoding it, and store it if it is a picture; safe to call in threads.

        The same bytes are stored once, whatever addresses they came from.
        """
        try:
            ending = verify_image(body.data)
        except PictureError as error:
            return _why_no_picture(body, error)
        name = f"{hashlib.sha256(body.data).hexdigest()[:32]}.{ending}"
        target = self.folder / name
        if not self._holds(Picture(name, len(body.data))):
            part = self.folder / f"{name}.{os.urandom(4).hex()}.part"
            part.write_bytes(body.data)
            part.replace(target)
        return Picture(name, len(body.data))

    def record(self, address: str, outcome: Outcome) -> None:
        """Add a line to the journal."""
        line = json.dumps({"url": address, **asdict(outcome)}, ensure_ascii=False)
        with self._journal.open("ab") as stream:
            stream.write(line.encode("utf-8", "replace") + b"\n")

    def _holds(self, picture: Picture) -> bool:
        try:
            return (self.folder / picture.file).stat().st_size == picture.size
        except (OSError, ValueError):  # a name that no file can have
            return False

    def _end_line(self) -> None:
        """Close a line that was cut off, so that the next one is not glued to it."""
        if not self._journal.is_file() or not self._journal.stat().st_size:
            return
        with self._journal.open("rb+") as stream:
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")


def _why_no_picture(body: Body, error: PictureError) -> Failure:
    cause, detail = Cause.BROKEN_PICTURE, str(error)
    again: Again | None = None
    if error.cause == "pixels":
        cause = Cause.TOO_MANY_PIXELS
    elif error.cause == "memory":
        again = "later"
    elif error.cause == "truncated" and not body.complete:
        again = "now"  # without a length, the end of the connection may have come too early
    elif error.cause == "kind":
        form = begins_like(body.data)
        cause = Cause.NO_PICTURE if form is None else cause
        detail = f"it begins like {form}" if form else looks_like(body.data, body.content_type)
    return FetchError(cause, detail, status=200, again=again).failure


def _parsed(line: bytes) -> tuple[str, Outcome] | None:
    try:
        entry: Mapping[str, Any] = json.loads(line)
        address = entry["url"]
        if not isinstance(address, str):
            return None
        if "file" in entry:
            name = str(entry["file"])
            if name != Path(name).name or name in ("", ".", ".."):
                return None
            return address, Picture(name, int(entry["size"]))
        return address, Failure(
            Cause(entry["cause"]),
            str(entry["detail"]),
            entry["status"] if isinstance(entry["status"], int) else None,
            entry["again"] if entry["again"] in ("now", "later", "never") else "later",
        )
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
        return None
