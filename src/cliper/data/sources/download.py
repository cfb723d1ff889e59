"""Large files fetched whole: resumed after an interruption, bounded, checked, kept.

Unlike pictures (`cliper.data.fetch`), whose addresses come out of a catalogue, these come from the
person at the keyboard. So any host is allowed, and the bytes go to disk as they come. Both wait by
the same rules.
"""

import datetime
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx2
from filelock import FileLock

from cliper.data.fetch.download import parse_address
from cliper.data.fetch.outcome import FetchError
from cliper.data.fetch.retry import backoff, retry_after
from cliper.errors import InputError, first_line
from cliper.files import read_json, write_json
from cliper.progress import task
from cliper.types import JsonObject

_TRIES = 6  # in a row without a single new byte
_TIMEOUT = httpx2.Timeout(30.0, read=60.0)
_LONGEST_WAIT = 60.0
_BY_HAND = "fetch it by hand into a folder and name that folder"


class _Again(Exception):
    """The server may answer better in a while."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True)
class Downloads:
    """A folder of fetched files.

    Attributes:
        folder: where they are kept.
        max_bytes: larger files are refused.
        sleep: waits between tries.
    """

    folder: Path
    max_bytes: int
    sleep: Callable[[float], None] = time.sleep

    def get(self, address: str, name: str) -> Path | None:
        """The file behind an address; from the folder, if it is there whole.

        A part that an interruption left is continued where the server vouches, by its `ETag` or
        `Last-Modified`, that the file is the same; else it is fetched anew.

        Args:
            address: http or https.
            name: path in the folder.

        Returns:
            The path, None where the server has no such file.

        Raises:
            InputError: the file is too large, or no gzip though it is named so; the disk is full;
                the server refuses, or cannot be reached after several tries.
        """
        try:
            parse_address(address)
        except FetchError as error:
            raise InputError(
                f"no address that can be asked for: {error.failure.detail}", where=address
            ) from None
        target = self.folder / name
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        lock = target.with_name(f"{part.name}.lock")
        with FileLock(lock):  # two at once would write into each other's part
            if target.is_file():
                return target
            fetched = self._get(address, part)
            if fetched:
                _check(part, target.name, address)
                part.replace(target)
                _note(part).unlink(missing_ok=True)
            lock.unlink(missing_ok=True)
        return target if fetched else None

    def _get(self, address: str, part: Path) -> bool:
        """Fetch into `part`, in as many tries as it takes; False where there is no such file."""
        failed = 0
        jitter = Random()
        with httpx2.Client(follow_redirects=True, timeout=_TIMEOUT) as client:
            while True:
                before = _size(part)
                try:
                    return self._fetch(client, address, part)
                except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects):
                    raise InputError(
                        "it leads to no address that can be asked for", where=address
                    ) from None
                except (_Again, httpx2.TransportError, httpx2.DecodingError) as error:
                    failed = 1 if _size(part) > before else failed + 1
                    if failed >= _TRIES:
                        raise InputError(
                            f"out of reach: {first_line(error)}", where=address, remedy=_BY_HAND
                        ) from None
                    asked = error.wait if isinstance(error, _Again) else None
                    wait = backoff(failed, 2.0, _LONGEST_WAIT, jitter) if asked is None else asked
                    self.sleep(min(_LONGEST_WAIT, wait))

    def _fetch(self, client: httpx2.Client, address: str, part: Path) -> bool:
        """Fetch what is missing of the file; False where the server does not have it."""
        start, validator = _resumable(part, address)
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": validator}
        with client.stream("GET", address, headers=headers) as answer:
            if answer.status_code in (404, 410):
                return False
            if answer.status_code == 416 and start:  # nothing is missing, or it is another file
                if answer.headers.get("content-range", "") == f"bytes */{start}":
                    return True
                part.unlink()
                raise _Again("the part that was kept does not fit the file", 0.0)
            if answer.status_code == 429 or answer.status_code >= 500:
                now = datetime.datetime.now(datetime.UTC)
                wait = retry_after(answer.headers.get("retry-after"), now)
                raise _Again(f"HTTP {answer.status_code}", wait)
            if answer.status_code not in (200, 206):
                raise InputError(f"HTTP {answer.status_code}", where=address, remedy=_BY_HAND)
            if answer.status_code == 200:
                start = 0
            elif not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
                part.unlink()
                raise _Again("another range than the one asked for", 0.0)
            self._write(answer, address, part, start)
        return True

    def _write(self, answer: httpx2.Response, address: str, part: Path, start: int) -> None:
        length = answer.headers.get("content-length", "")
        total = start + int(length) if length.isascii() and length.isdigit() else None
        self._refuse_size(total or start, address)
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - start > free:
            raise InputError(
                f"{total - start:,} bytes are to come and {free:,} are free",
                where=str(part.parent),
                remedy="name another --downloads",
            )
        write_json(_note(part), {"address": address, "validator": _validator(answer)})
        done = start
        name = part.name.removeprefix(".").removesuffix(".part")
        with (
            task(f"fetching {name}", total, unit="B") as progress,
            part.open("r+b" if start else "wb") as stream,
        ):
            stream.seek(start)
            progress.advance(start)
            for piece in answer.iter_raw():  # as they come: nothing waits in a buffer to be lost
                done += len(piece)
                self._refuse_size(done, address)
                stream.write(piece)
                progress.advance(len(piece))
        if total is not None and done != total:
            raise _Again(f"{done:,} of {total:,} bytes came")

    def _refuse_size(self, size: int, address: str) -> None:
        if size > self.max_bytes:
            raise InputError(
                f"more than {self.max_bytes:,} bytes", where=address, remedy="raise --max-download"
            )


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _resumable(part: Path, address: str) -> tuple[int, str]:
    """How much there is of the same file, and what the server must confirm."""
    size = _size(part)
    if not size or not _note(part).is_file():
        return 0, ""
    try:
        note: JsonObject = read_json(_note(part))
        validator = note["validator"] if note["address"] == address else None
    except (InputError, KeyError, TypeError):
        return 0, ""
    return (size, validator) if isinstance(validator, str) else (0, "")


def _validator(answer: httpx2.Response) -> str | None:
    """What says that a file is the same byte by byte (RFC 9110, 13.1.5)."""
    tag: str | None = answer.headers.get("etag")
    if tag and not tag.startswith("W/"):
        return tag
    modified: str | None = answer.headers.get("last-modified")
    return modified


def _check(part: Path, name: str, address: str) -> None:
    """A page that says sorry with status 200 is no gzip file."""
    with part.open("rb") as stream:
        first = stream.read(2)
    if not first or (name.endswith(".gz") and first != b"\x1f\x8b"):
        part.unlink()
        _note(part).unlink(missing_ok=True)
        what = "no gzip data" if first else "an empty file"
        raise InputError(f"{what} behind this address", where=address, remedy=_BY_HAND)
