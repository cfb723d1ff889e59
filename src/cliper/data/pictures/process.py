"""Long-lived children that read pictures of strangers, begun anew when one dies of it."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Literal, cast

from PIL import Image

from cliper.data.pictures import child

MAX_BYTES = 64 * 2**20
"""Of a file; larger ones are not given to `check_picture` and `read_picture`."""
MAX_MEMORY = 2**30
MAX_SECONDS = 5

Cause = Literal["kind", "pixels", "costly", "memory", "damaged", "truncated"]


class PictureError(Exception):
    """A picture that is not read, and why.

    Attributes:
        cause: `kind` (no picture of a kind that is read), `pixels` (too many), `costly` (its reader
            took too long or died), `memory`, `damaged` or `truncated`.
    """

    def __init__(self, cause: Cause, reason: str) -> None:
        super().__init__(reason)
        self.cause: Cause = cause


_REASONS: dict[Cause, str] = {
    "kind": "not a JPEG, PNG, WebP, GIF, BMP, AVIF or TIFF image",
    "costly": "too costly to decode",
    "memory": "not enough memory to decode it",
    "damaged": "damaged",
    "truncated": "truncated",
}
_HEIC = "a HEIC image, read with the extra heif (pip install 'cliper[heif]')"


def check_picture(data: bytes) -> str:
    """Decode a picture and forget it: its format, such as "JPEG".

    Raises:
        PictureError: it cannot be read, or not within bounds.
    """
    return str(_asked(data, child.ONLY_CHECK)[0]["form"])


def read_picture(data: bytes, at_least: int | None = None) -> Image.Image:
    """A picture's pixels: 8-bit RGB, upright, transparency laid on white, an animation's first.

    Args:
        data: the file.
        at_least: a JPEG may be decoded at a reduced scale as long as both of its sides keep this
            many pixels (its own inverse transform at 1/2, 1/4 or 1/8: much faster).

    Raises:
        PictureError: it cannot be read, or not within bounds.
    """
    told, pixels = _asked(data, at_least or 0)
    return Image.frombytes("RGB", tuple(told["size"]), pixels)


@dataclass(frozen=True)
class _Child:
    process: subprocess.Popen[bytes]

    @classmethod
    def started(cls) -> "_Child":
        # Libraries write to stderr on their own; one thread suffices and keeps memory countable.
        return cls(
            subprocess.Popen(
                [sys.executable, "-P", child.__file__, str(MAX_MEMORY), str(MAX_SECONDS)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # an interruption at the keyboard is the parent's to handle
            )
        )

    def ask(self, data: bytes, at_least: int) -> tuple[dict[str, Any], bytes]:
        """The answer to one request.

        Raises:
            EOFError: the child has died.
        """
        requests = cast(IO[bytes], self.process.stdin)
        answers = cast(IO[bytes], self.process.stdout)
        try:
            requests.write(b"%d %d\n" % (len(data), at_least))
            requests.write(data)
            requests.flush()
        except BrokenPipeError:
            raise EOFError from None
        line = answers.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        told = json.loads(line)
        width, height = told.get("size", (0, 0))
        pixels = answers.read(3 * width * height)
        if len(pixels) < 3 * width * height:
            raise EOFError
        return told, pixels

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            cast(IO[bytes], pipe).close()


# Children that wait. A thread takes one or begins one, so there are as many as read at once.
_idle: list[_Child] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _idle.clear())  # they are the other process's


def _waiting() -> _Child | None:
    """A child that is alive and has nothing to do."""
    while _idle:
        with suppress(IndexError):  # another thread was quicker
            one = _idle.pop()
            if one.process.poll() is None:
                return one
            one.end()
    return None


def _asked(data: bytes, at_least: int) -> tuple[dict[str, Any], bytes]:
    one = _waiting() or _Child.started()
    try:
        told, pixels = one.ask(data, at_least)
    except EOFError:
        one.end()
        raise PictureError("costly", _REASONS["costly"]) from None
    except BaseException:  # interrupted between request and answer
        one.end()
        raise
    _idle.append(one)
    cause = told.get("refused")
    if cause is not None:
        reason = f"more than {told['most']} pixels" if cause == "pixels" else _REASONS[cause]
        reason = _HEIC if told.get("heic") else reason
        raise PictureError(cause, reason)
    return told, pixels
